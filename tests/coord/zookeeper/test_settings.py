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
    assert (settings.sasl_super, settings.super_digest) == ("root", "super:x")
    assert settings.sasl_users == {"alice": "secret", "bob": "b=c"}
    assert (settings.enforces_quotas, settings.requires_sasl, settings.has_reconfig) == (True, True, True)
    assert settings_of([("minSessionTimeout", "60000")]).most_ms == 60_000
    assert (settings.has_ttl_nodes, settings.sweep_ms) == (False, 100)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("dataDir", "/tmp", "there is no such property here"),
        ("server.1", "a:2888:3888", "there is no such property here"),
        ("tickTime", "0", "a whole number above 0"),
        ("enforceQuota", "yes", "true or false"),
    ],
)
def test_what_it_does_not_take_is_said(name, text, said):
    with pytest.raises(ValueError, match=said):
        settings_of([(name, text)])
