"""Access control rules, against Kafka's documented decisions and a plain model."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.kafka.security.rules import (
    Asked,
    Filter,
    Operation,
    PatternType,
    Permission,
    ResourceType,
    Rule,
    Rules,
    operations_of,
    refusal,
    selected,
)

TOPIC, GROUP = ResourceType.TOPIC, ResourceType.GROUP
LITERAL, PREFIXED = PatternType.LITERAL, PatternType.PREFIXED
ALLOW, DENY = Permission.ALLOW, Permission.DENY
ALICE = "User:alice"


def rule(name="t", operation=Operation.READ, permission=ALLOW, **more):
    given = {"resource_type": TOPIC, "pattern": LITERAL, "principal": ALICE, "host": "*", **more}
    return Rule(name=name, operation=operation, permission=permission, **given)


def asked(operation=Operation.READ, name="t", principal=ALICE, host="127.0.0.1", kind=TOPIC):
    return Asked(principal, host, operation, kind, name)


def test_without_a_rule_it_is_denied_unless_the_resource_is_open():
    assert not Rules().decide(asked())
    assert Rules().decide(asked(), is_open=True)
    assert not Rules([rule(principal="User:bob")]).decide(asked(), is_open=True)


def test_reading_implies_describing_and_no_more():
    rules = Rules([rule()])
    assert rules.decide(asked(Operation.READ))
    assert rules.decide(asked(Operation.DESCRIBE))
    assert not rules.decide(asked(Operation.WRITE))
    assert not rules.decide(asked(Operation.DESCRIBE_CONFIGS))
    assert Rules([rule(operation=Operation.ALTER_CONFIGS)]).decide(asked(Operation.DESCRIBE_CONFIGS))


def test_a_denial_wins_and_implies_nothing():
    rules = Rules([rule(operation=Operation.ALL), rule(permission=DENY)])
    assert not rules.decide(asked(Operation.READ))
    assert rules.decide(asked(Operation.DESCRIBE))
    assert rules.decide(asked(Operation.WRITE))
    everything = Rules([rule(operation=Operation.ALL), rule(operation=Operation.ALL, permission=DENY)])
    assert not any(everything.decide(asked(operation)) for operation in operations_of(TOPIC))


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [
        (LITERAL, "orders", {"orders"}),
        (LITERAL, "*", {"orders", "orders-dead", "bills", "*"}),
        (PREFIXED, "orders", {"orders", "orders-dead"}),
        (PREFIXED, "o", {"orders", "orders-dead"}),
        (PREFIXED, "*", {"*"}),
    ],
)
def test_patterns(pattern, name, covered):
    rules = Rules([rule(name, pattern=pattern)])
    names = {"orders", "orders-dead", "bills", "*"}
    assert {each for each in names if rules.decide(asked(name=each))} == covered


def test_hosts_and_wildcard_principals():
    rules = Rules([rule(host="10.0.0.1", principal="User:*")])
    assert rules.decide(asked(host="10.0.0.1", principal="User:anybody"))
    assert not rules.decide(asked(host="10.0.0.2"))


def test_filters_find_what_kip_290_says():
    rules = [rule("foo"), rule("*"), rule("fo", pattern=PREFIXED), rule("foo", resource_type=GROUP)]

    def found(**given):
        return [each for each in rules if selected(Filter(**given), each)]

    assert found() == rules
    assert found(resource_type=TOPIC, name="foo", pattern=PatternType.MATCH) == rules[:3]
    assert found(resource_type=TOPIC, name="foo", pattern=LITERAL) == [rules[0]]
    assert found(resource_type=TOPIC, name="fo", pattern=PatternType.ANY) == [rules[2]]
    assert found(name="foo", pattern=PatternType.ANY) == [rules[0], rules[3]]
    assert found(pattern=PREFIXED) == [rules[2]]
    assert found(principal="User:bob") == found(host="10.0.0.1") == []
    assert found(operation=Operation.READ, permission=ALLOW, principal=ALICE, host="*") == rules
    assert found(operation=Operation.WRITE) == found(permission=DENY) == []


@pytest.mark.parametrize(
    "bad",
    [
        rule(""),
        rule(principal="alice"),
        rule(operation=Operation.ANY),
        rule(permission=Permission.ANY),
        rule(pattern=PatternType.MATCH),
        rule(resource_type=ResourceType.ANY),
        rule("mine", resource_type=ResourceType.CLUSTER),
    ],
)
def test_what_is_no_rule_is_refused(bad):
    assert refusal(bad)
    assert refusal(rule()) is None


def test_any_resource_of_a_kind():
    def anywhere(*rules):
        return Rules(rules).decide_any(ALICE, "::1", Operation.WRITE, TOPIC)

    yes = rule("foo", Operation.WRITE)
    assert anywhere(yes)
    assert not anywhere(rule("foo"))
    assert not anywhere(yes, rule("foo", Operation.WRITE, DENY))
    assert not anywhere(yes, rule("f", Operation.ALL, DENY, pattern=PREFIXED))
    assert not anywhere(yes, rule("*", Operation.WRITE, DENY))
    assert anywhere(rule("f", Operation.WRITE, pattern=PREFIXED), rule("foo", Operation.WRITE, DENY))
    assert not anywhere(rule("*", Operation.WRITE), rule("*", Operation.ALL, DENY))


RULES = st.builds(
    Rule,
    st.sampled_from([TOPIC, GROUP]),
    st.sampled_from(["a", "ab", "abc", "*"]),
    st.sampled_from([LITERAL, PREFIXED]),
    st.sampled_from([ALICE, "User:bob", "User:*"]),
    st.sampled_from(["*", "::1"]),
    st.sampled_from([Operation.READ, Operation.WRITE, Operation.ALL, Operation.DESCRIBE]),
    st.sampled_from([ALLOW, DENY]),
)


@settings(deadline=None)
@given(st.lists(RULES, max_size=12), st.lists(RULES, max_size=6), st.sampled_from(["a", "ab", "abcd", "z"]))
def test_the_index_decides_as_a_walk_over_all_rules_would(added, removed, name):
    rules = Rules(added)
    for each in removed:
        rules.remove(each)
    left = set(added) - set(removed)
    assert set(rules) == left
    assert len(rules) == len(left)
    wants = asked(Operation.DESCRIBE, name=name, host="::1")
    mine = [
        each
        for each in left
        if each.resource_type is TOPIC
        and (name.startswith(each.name) if each.pattern is PREFIXED else each.name in (name, "*"))
        and each.principal in (ALICE, "User:*")
    ]
    denied = any(
        each.permission is DENY and each.operation in (Operation.DESCRIBE, Operation.ALL) for each in mine
    )
    assert rules.decide(wants) == (not denied and any(each.permission is ALLOW for each in mine))
