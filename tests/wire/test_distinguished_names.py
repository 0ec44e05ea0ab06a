"""The names in certificates, as Java's X500Principal.getName() gives them: as OpenJDK 17 said."""

import datetime
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import name as x509_name
from cryptography.x509.oid import NameOID

from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.distinguished_names import subject

ASN1 = x509_name._ASN1Type
COMMON, UNIT, COMPANY = NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.ORGANIZATION_NAME
PLACE, STATE, COUNTRY = NameOID.LOCALITY_NAME, NameOID.STATE_OR_PROVINCE_NAME, NameOID.COUNTRY_NAME


def attribute(kind, value, asn1=None):
    return x509.NameAttribute(kind, value, asn1)


NAMES = {
    "CN=alice": [[attribute(COMMON, "alice")]],
    "CN=a,OU=b,O=c,L=d,ST=e,C=FR": [
        [attribute(kind, value)]
        for kind, value in (
            (COUNTRY, "FR"),
            (STATE, "e"),
            (PLACE, "d"),
            (COMPANY, "c"),
            (UNIT, "b"),
            (COMMON, "a"),
        )
    ],
    "CN=Tkac\\, Adam,DC=geodis,DC=cz": [
        [attribute(NameOID.DOMAIN_COMPONENT, "cz")],
        [attribute(NameOID.DOMAIN_COMPONENT, "geodis")],
        [attribute(COMMON, "Tkac, Adam")],
    ],
    "CN=a+OU=b,O=c": [[attribute(COMPANY, "c")], [attribute(COMMON, "a"), attribute(UNIT, "b")]],
    'O=\\#a\\=\\+\\"\\\\\\<\\>\\;b': [[attribute(COMPANY, '#a=+"\\<>;b')]],
    "O=\\ \\ x\\ \\ ": [[attribute(COMPANY, "  x  ")]],
    "CN=m,1.2.840.113549.1.9.1=#1605614062 2e63".replace(" ", ""): [
        [attribute(NameOID.EMAIL_ADDRESS, "a@b.c")],
        [attribute(COMMON, "m")],
    ],
    "CN=Zoë,2.5.4.5=#130137,UID=u,STREET=s": [
        [attribute(NameOID.STREET_ADDRESS, "s")],
        [attribute(NameOID.USER_ID, "u")],
        [attribute(NameOID.SERIAL_NUMBER, "7")],
        [attribute(COMMON, "Zoë")],
    ],
    "CN=\\00a": [[attribute(COMMON, "a", ASN1.BMPString)]],
    "": [],
}


@cache
def key():
    return ec.generate_private_key(ec.SECP256R1())


def certificate(parts):
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.RelativeDistinguishedName(part) for part in parts]))
        .issuer_name(x509.Name([attribute(COMMON, "the authority")]))
        .public_key(key().public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key(), SHA256())
        .public_bytes(Encoding.DER)
    )


@pytest.mark.parametrize("expected", NAMES)
def test_names(expected):
    assert subject(certificate(NAMES[expected])) == expected


def test_what_is_cut_short_is_no_certificate():
    whole = certificate(NAMES["CN=a,OU=b,O=c,L=d,ST=e,C=FR"])
    for size in range(len(whole)):
        with pytest.raises(ProtocolError):
            subject(whole[:size])


def test_what_is_no_certificate_at_all():
    for data in (b"\x30\0", b"\x30\2\x30\0", b"\x02\1\1", b"\x30\x84\xff\xff\xff\xff"):
        with pytest.raises(ProtocolError):
            subject(data)
