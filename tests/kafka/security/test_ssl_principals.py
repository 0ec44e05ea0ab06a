"""ssl.principal.mapping.rules: which rules there are, and who is who by them."""

import pytest

from cloudlet.kafka.configs import InvalidConfig
from cloudlet.kafka.security.ssl_principals import principals

ALICE = "CN=Alice,OU=Users,O=Shop,C=FR"


@pytest.mark.parametrize(
    ("rules", "name"),
    [
        ("DEFAULT", ALICE),
        ("RULE:^CN=(.*?),OU=Users.*$/$1/", "Alice"),
        ("RULE:^CN=(.*?),OU=Users.*$/$1/L", "alice"),
        ("RULE:^CN=(.*?),OU=(.*?),.*$/$2-$1/U", "USERS-ALICE"),
        ("RULE:^CN=(.*?),OU=Other.*$/$1/L", None),
        ("RULE:^CN=(.*?),OU=Other.*$/$1/L, DEFAULT", ALICE),
        ("RULE:^CN=(.*?),OU=Other.*$/$1/, RULE:^CN=(.*?),.*$/$1@$4/", "Alice@$4"),
        ("RULE:^CN=(.*?),.*$/$12/", "Alice2"),
        ("RULE:^CN=(.*?),.*$/\\$1\\/$1/", "$1/Alice"),
        ("RULE:CN=Alice/$1/", None),  # the pattern is to match all of it
        (",, DEFAULT ,,", ALICE),
        (" , ", None),
        ("", None),
    ],
)
def test_who_somebody_is(rules, name):
    assert principals(rules)(ALICE) == name


def test_a_comma_within_a_name():
    name_of = principals("RULE:^CN=((\\\\, *|\\w)+)(,.*|$)/$1/,DEFAULT")
    assert name_of("CN=Tkac\\, Adam,OU=ITZ,DC=geodis,DC=cz") == "Tkac\\, Adam"


@pytest.mark.parametrize(
    "rules",
    [
        "default",
        "DEFAULT/L",
        "RULE:^CN=(.*?)$/$1",
        "rule:a/b/",
        "RULE:a/b/LU",
        "RULE:(/b/",
        "DEFAULT;DEFAULT",
    ],
)
def test_what_are_no_rules(rules):
    with pytest.raises(InvalidConfig, match=r"ssl\.principal\.mapping\.rules: Invalid rule"):
        principals(rules)
