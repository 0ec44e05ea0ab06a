"""Server-side assignors: whole, fair, sticky."""

from hypothesis import given
from hypothesis import strategies as st

from cloudlet.kafka.groups.assignors import ASSIGNORS, Candidate, assign_range, assign_uniform

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16


def candidate(name, topics, owned=None, instance=None):
    return Candidate(name, instance, frozenset(topics), owned or {})


def parts(*numbers):
    return frozenset(numbers)


def test_range_gives_the_first_members_one_more():
    shares = assign_range([candidate("y", [A, B]), candidate("x", [A, B])], {A: 3, B: 3})
    assert shares == {"x": {A: parts(0, 1), B: parts(0, 1)}, "y": {A: parts(2), B: parts(2)}}


def test_range_puts_static_members_first():
    shares = assign_range([candidate("a", [A]), candidate("z", [A], instance="i")], {A: 3})
    assert shares == {"z": {A: parts(0, 1)}, "a": {A: parts(2)}}


def test_range_shares_a_topic_among_those_who_want_it():
    shares = assign_range([candidate("x", [A, B]), candidate("y", [B])], {A: 2, B: 2})
    assert shares == {"x": {A: parts(0, 1), B: parts(0)}, "y": {B: parts(1)}}


def test_uniform_fills_up_evenly():
    shares = assign_uniform([candidate("x", [A, B]), candidate("y", [A, B])], {A: 3, B: 2})
    assert sorted(sum(map(len, share.values())) for share in shares.values()) == [2, 3]


def test_uniform_leaves_what_is_fair_where_it_is():
    owned = {A: parts(0, 1, 2)}
    shares = assign_uniform([candidate("x", [A], {}), candidate("y", [A], owned)], {A: 5})
    assert shares["y"] == owned
    assert shares["x"] == {A: parts(3, 4)}


def test_uniform_moves_as_few_as_it_must_for_a_new_member():
    shares = assign_uniform(
        [
            candidate("x", [A], {A: parts(0, 1, 2)}),
            candidate("y", [A], {A: parts(3, 4, 5)}),
            candidate("z", [A]),
        ],
        {A: 6},
    )
    assert shares == {"x": {A: parts(0, 1)}, "y": {A: parts(3, 4)}, "z": {A: parts(2, 5)}}


def test_a_topic_that_is_gone_is_nobodys():
    for assign in ASSIGNORS.values():
        assert assign([candidate("x", [A, B], {B: parts(0)})], {A: 1}) == {"x": {A: parts(0)}}


def test_uniform_balances_unlike_subscriptions():
    shares = assign_uniform(
        [candidate("x", [A, B]), candidate("y", [B, C]), candidate("z", [C])], {A: 2, B: 2, C: 2}
    )
    assert sorted(sum(map(len, share.values())) for share in shares.values()) == [2, 2, 2]


TOPICS = [bytes([number]) * 16 for number in range(4)]


@st.composite
def groups(draw):
    counts = {topic: draw(st.integers(0, 7)) for topic in TOPICS if draw(st.booleans())}
    alike = draw(st.booleans())
    shared = draw(st.frozensets(st.sampled_from(TOPICS)))
    members = []
    for name in draw(st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=6)):
        topics = shared if alike else draw(st.frozensets(st.sampled_from(TOPICS)))
        owned = draw(
            st.dictionaries(st.sampled_from(TOPICS), st.frozensets(st.integers(0, 9), min_size=1), max_size=3)
        )
        instance = f"i{name}" if draw(st.booleans()) else None
        members.append(Candidate(name, instance, topics, owned))
    return members, counts


def load(share):
    return sum(map(len, share.values()))


@given(groups())
def test_every_partition_goes_to_one_member_that_wants_it(group):
    members, counts = group
    wanted = {
        (topic, partition)
        for topic, count in counts.items()
        if any(topic in each.topics for each in members)
        for partition in range(count)
    }
    for assign in ASSIGNORS.values():
        shares = assign(members, counts)
        assert shares.keys() == {each.id for each in members}
        given_out = [
            (topic, partition)
            for each in members
            for topic, partitions in shares[each.id].items()
            for partition in partitions
        ]
        assert len(given_out) == len(set(given_out))
        assert set(given_out) == wanted
        for each in members:
            assert shares[each.id].keys() <= each.topics
            assert all(shares[each.id].values())
        assert assign(list(reversed(members)), counts) == shares


@given(groups())
def test_uniform_is_even_and_comes_to_rest(group):
    members, counts = group
    shares = assign_uniform(members, counts)
    loads = {each.id: load(shares[each.id]) for each in members}
    for giver in members:
        for taker in members:
            if any(topic in taker.topics for topic in shares[giver.id]):
                assert loads[giver.id] - loads[taker.id] < 2
    settled = [each._replace(owned=shares[each.id]) for each in members]
    assert assign_uniform(settled, counts) == shares
