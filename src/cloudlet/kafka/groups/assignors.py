"""The server-side assignors of consumer groups: `uniform` and `range`.

State   none
Source  Apache Kafka 4.3: KIP-848, "Server Side Assignors"; KIP-1101 (co-partitioned ranges)
Absent  racks: a partition is not preferred by who is near to it

Both are plain functions of who is there, who has what, and how many partitions the topics have; the order in
which the members are given does not matter.

    range     each topic's partitions in contiguous ranges, the first members get one more where it does not
              divide; static members stand before dynamic ones, so that they keep their place. Topics of equal
              size are shared alike (co-partitioned).
    uniform   as even as the subscriptions allow, with as few moves as that takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

TopicId = bytes
Assignment = Mapping[TopicId, frozenset[int]]
"""Topic id -> partitions; a topic without partitions is left out."""


class Candidate(NamedTuple):
    """A member that is to get its share."""

    id: str
    instance_id: str | None
    topics: frozenset[TopicId]
    owned: Assignment  # its present target


Counts = Mapping[TopicId, int]
"""Topic id -> number of partitions; a topic that does not exist is not in it."""

Assignor = Callable[[Sequence[Candidate], Counts], dict[str, Assignment]]


def assign_range(candidates: Sequence[Candidate], counts: Counts) -> dict[str, Assignment]:
    """Contiguous ranges per topic."""
    ordered = sorted(candidates, key=_static_first)
    shares: dict[str, dict[TopicId, frozenset[int]]] = {each.id: {} for each in ordered}
    for topic, count in counts.items():
        takers = [each for each in ordered if topic in each.topics]
        if not takers:
            continue
        quota, extra = divmod(count, len(takers))
        start = 0
        for place, taker in enumerate(takers):
            stop = start + quota + (place < extra)
            if stop > start:
                shares[taker.id][topic] = frozenset(range(start, stop))
            start = stop
    return dict(shares)


def assign_uniform(candidates: Sequence[Candidate], counts: Counts) -> dict[str, Assignment]:
    """Even and sticky."""
    if not candidates:
        return {}
    ordered = sorted(candidates, key=_static_first)
    first = ordered[0].topics
    if all(each.topics == first for each in ordered):
        shares = _share_alike(ordered, {topic: counts[topic] for topic in sorted(first) if topic in counts})
    else:
        shares = _share_unlike(ordered, counts)
    return {member: _grouped(pairs) for member, pairs in shares.items()}


ASSIGNORS: Mapping[str, Assignor] = {"uniform": assign_uniform, "range": assign_range}
"""By name, the default first."""


def _static_first(candidate: Candidate) -> tuple[bool, str]:
    if candidate.instance_id is not None:
        return False, candidate.instance_id
    return True, candidate.id


Pair = tuple[TopicId, int]


def _grouped(pairs: set[Pair]) -> Assignment:
    by_topic: dict[TopicId, list[int]] = {}
    for topic, partition in pairs:
        by_topic.setdefault(topic, []).append(partition)
    return {topic: frozenset(partitions) for topic, partitions in by_topic.items()}


def _kept(candidate: Candidate, counts: Counts, taken: set[Pair]) -> list[Pair]:
    """What a member has and may keep; a partition that two claim stays with the first."""
    kept = []
    for topic in sorted(candidate.owned):
        if topic in candidate.topics:
            for partition in sorted(candidate.owned[topic]):
                pair = (topic, partition)
                if partition < counts.get(topic, 0) and pair not in taken:
                    taken.add(pair)
                    kept.append(pair)
    return kept


def _share_alike(ordered: Sequence[Candidate], counts: Counts) -> dict[str, set[Pair]]:
    """All want the same topics: each gets the quotient, and as many as the remainder says one more, those
    first who have more than the quotient already."""
    quota, extra = divmod(sum(counts.values()), len(ordered))
    taken: set[Pair] = set()
    kept = {each.id: _kept(each, counts, taken) for each in ordered}
    by_need = sorted(ordered, key=lambda each: len(kept[each.id]) <= quota)
    quotas = {each.id: quota + (place < extra) for place, each in enumerate(by_need)}
    shares = {each.id: set(kept[each.id][: quotas[each.id]]) for each in ordered}
    given = set().union(*shares.values())
    free = iter(
        (topic, partition)
        for topic in counts
        for partition in range(counts[topic])
        if (topic, partition) not in given
    )
    for each in ordered:
        share = shares[each.id]
        for _ in range(quotas[each.id] - len(share)):
            share.add(next(free))
    return shares


def _share_unlike(ordered: Sequence[Candidate], counts: Counts) -> dict[str, set[Pair]]:
    """Members want different topics: fill up the least loaded, then move single partitions as long as a move
    makes the loads of two members more alike."""
    takers = {
        topic: [each.id for each in ordered if topic in each.topics]
        for topic in sorted(counts)
        if counts[topic] and any(topic in each.topics for each in ordered)
    }
    taken: set[Pair] = set()
    shares = {each.id: set(_kept(each, counts, taken)) for each in ordered}
    # what few can take is given away first
    for topic in sorted(takers, key=lambda name: (len(takers[name]), name)):
        for partition in range(counts[topic]):
            if (topic, partition) not in taken:
                least = min(takers[topic], key=lambda member: len(shares[member]))
                shares[least].add((topic, partition))
    has_moved = True
    while has_moved:
        # each move lowers the sum of the squared loads, so this ends
        has_moved = False
        for topic, members in takers.items():
            has_moved |= _level(topic, members, shares)
    return shares


def _level(topic: TopicId, members: Sequence[str], shares: dict[str, set[Pair]]) -> bool:
    has_moved = False
    held = {member: sorted(pair for pair in shares[member] if pair[0] == topic) for member in members}
    while True:
        holders = [member for member in members if held[member]]
        most = max(holders, key=lambda member: len(shares[member]))
        least = min(members, key=lambda member: len(shares[member]))
        if len(shares[most]) - len(shares[least]) < 2:
            return has_moved
        pair = held[most].pop()
        shares[most].remove(pair)
        shares[least].add(pair)
        held[least].append(pair)
        has_moved = True
