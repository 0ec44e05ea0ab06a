"""ZooKeeper's properties: which are known, by which names, and what they set."""

import pytest

from cloudlet.coord.zookeeper.settings import KeeperSettings, settings_of


def test_what_is_not_said_is_zookeepers():
    assert settings_of([]) == KeeperSettings()
    assert (KeeperSettings().least_ms, KeeperSettings().most_ms) == (4_000, 40_000)


def test_properties_go_by_zookeepers_names():
    said = {
        "tickTime": "500", "maxSessionTimeout": "3000", "jute.maxbuffer": "4096", "superUser": "root",
        "zookeeper.DigestAuthenticationProvider.superDigest": "super:x", "zookeeper.enforceQuota": "true",
        "sessionRequireClientSASLAuth": "true", "reconfigEnabled": "true", "extendedTypesEnabled": "false",
        "znode.container.checkIntervalMs": "100", "user_alice": "secret", "user_bob": "b=c",
    }  # fmt: skip
    settings = settings_of(said.items())
    assert (settings.least_ms, settings.most_ms, settings.buffer_bytes_max) == (1_000, 3_000, 4_096)
    assert (settings.sasl_supers, settings.super_digest) == ({"root"}, "super:x")
    assert settings.sasl_users == {"alice": "secret", "bob": "b=c"}
    assert (settings.enforces_quotas, settings.has_reconfig) == (True, True)
    assert settings.schemes_required == {"sasl"}
    assert settings_of([("minSessionTimeout", "60000")]).most_ms == 60_000
    assert (settings.has_ttl_nodes, settings.sweep_ms) == (False, 100)


def test_who_may_do_what():
    auth = "org.apache.zookeeper.server.auth."
    said = {
        "zookeeper.skipACL": "yes", "DigestAuthenticationProvider.enabled": "false",
        "X509AuthenticationProvider.superUser": "CN=root", "superUser.1": "ann", "superUser.2": "bob",
        "letAnySaslUserDoX": "anyone", "allowSaslFailedClients": "true", "enforce.auth.enabled": "true",
        "enforce.auth.schemes": "sasl, x509", "authProvider.1": f"{auth}SASLAuthenticationProvider",
    }  # fmt: skip
    settings = settings_of(said.items())
    assert (settings.skips_acl, settings.has_digest, settings.x509_super) == (True, False, "CN=root")
    assert (settings.sasl_supers, settings.sasl_anyone) == ({"ann", "bob"}, "anyone")
    assert (settings.keeps_failed_sasl, settings.schemes_required) == (True, {"sasl", "x509"})
    assert settings.ensembles is None
    assert not settings_of([("enforce.auth.schemes", "sasl")]).schemes_required
    assert not settings_of([("skipACL", "no")]).skips_acl
    ensembles = [("authProvider.7", f"{auth}EnsembleAuthenticationProvider")]
    assert settings_of(ensembles).ensembles == frozenset()
    assert settings_of([*ensembles, ("ensembleAuthName", " foo,bar ")]).ensembles == {"foo", "bar"}
    assert settings_of([("ensembleAuthName", "foo")]).ensembles is None


def test_how_many_and_which_words():
    said = {"maxClientCnxns": "60", "maxCnxns": "0", "znode.container.maxNeverUsedIntervalMs": "1000"}
    settings = settings_of(said.items())
    assert (settings.address_clients_max, settings.clients_max, settings.unused_ms_max) == (60, 0, 1_000)
    assert settings_of([("4lw.commands.whitelist", "stat, ruok")]).words == {"stat", "ruok", "srvr"}
    assert settings_of([("4lw.commands.whitelist", "*")]).words is None
    assert settings_of([("4lw.commands.whitelist", "")]).words == {"srvr"}
    assert settings_of([("readonlymode.enabled", "true")]).words is None
    both = [("readonlymode.enabled", "true"), ("4lw.commands.whitelist", "stat")]
    assert settings_of(both).words == {"stat", "srvr", "isro"}


@pytest.mark.parametrize(
    ("text", "name"),
    [("SHA1", "sha1"), ("sha-1", "sha1"), ("SHA-256", "sha256"), ("SHA3-256", "sha3_256"), ("MD5", "md5")],
)
def test_hashes_go_by_javas_names(text, name):
    assert settings_of([("zookeeper.DigestAuthenticationProvider.digestAlg", text)]).digest_hash == name


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("DigestAuthenticationProvider.digestAlg", "ROT13", "this is one of MD5, SHA-1"),
        ("authProvider.1", "org.example.Mine", "no such provider is here"),
        ("authProvider.1", "org.apache.zookeeper.server.auth.KeyAuthenticationProvider", "no such provider"),
        ("enforce.auth.enabled", "true", "wants enforce.auth.schemes"),
        ("maxClientCnxns", "-1", "a whole number above 0"),
        ("dataDir", "/tmp", "there is no such property here"),
        ("server.1", "a:2888:3888", "there is no such property here"),
        ("tickTime", "0", "a whole number above 0"),
        ("enforceQuota", "yes", "true or false"),
    ],
)
def test_what_it_does_not_take_is_said(name, text, said):
    with pytest.raises(ValueError, match=said):
        settings_of([(name, text)])
