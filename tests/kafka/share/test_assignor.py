"""The simple assignor of share groups."""

import random

from cloudlet.kafka.groups.assignors import Candidate
from cloudlet.kafka.share.assignor import assign_simple

T, U = b"t" * 16, b"u" * 16


def members(count, *topics, owned=None):
    return [
        Candidate(f"m{place}", None, frozenset(topics or (T,)), (owned or {}).get(f"m{place}", {}))
        for place in range(count)
    ]


def sizes(found):
    return sorted(sum(len(indexes) for indexes in each.values()) for each in found.values())


def test_more_members_than_partitions_share_them():
    found = assign_simple(members(6), {T: 3})
    assert sizes(found) == [1] * 6
    assert sorted(index for each in found.values() for index in each[T]) == [0, 0, 1, 1, 2, 2]
    assert sizes(assign_simple(members(5), {T: 3})) == [1, 1, 1, 1, 2]


def test_more_partitions_than_members_are_shared_out():
    found = assign_simple(members(3), {T: 5, U: 2})
    assert sizes(found) == [1, 2, 2]  # nobody has subscribed to U


def test_a_member_keeps_what_it_has():
    before = assign_simple(members(2), {T: 4})
    after = assign_simple(members(4, owned=before), {T: 4})
    assert sizes(after) == [1] * 4
    assert all(after[member][T] <= before[member][T] for member in before)


def test_members_of_other_subscriptions_share_their_own_topics():
    candidates = [*members(2, T), Candidate("both", None, frozenset((T, U)), {})]
    found = assign_simple(candidates, {T: 3, U: 2})
    assert found["both"][U] == {0, 1}
    assert set().union(*(each.get(T, frozenset()) for each in found.values())) == {0, 1, 2}


def test_every_partition_and_every_member_has_its_share():
    rng = random.Random(2026)
    owned = {}
    for _ in range(300):
        count, partitions = rng.randrange(1, 12), rng.randrange(1, 12)
        found = assign_simple(members(count, T, owned=owned), {T: partitions})
        owned = found
        taken = [index for each in found.values() for index in each.get(T, ())]
        assert set(taken) == set(range(partitions))
        assert all(each.get(T) for each in found.values()) or count > partitions * 2
        assert max(sizes(found)) - min(sizes(found)) <= 1


def test_nobody_gets_anything_of_topics_that_are_not_there():
    assert assign_simple(members(2), {}) == {"m0": {}, "m1": {}}
    assert assign_simple([], {T: 3}) == {}
