"""The assignor of share groups: `simple`.

State   none
Source  Apache Kafka 4.3: KIP-932, "The SimpleAssignor"
Absent  none

Every partition gets as many members as there are shares for: with fewer partitions than members each is
shared, with more each has one member. A member keeps what it has where that is even. Members of equal
subscriptions share its topics among themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush

from cloudlet.kafka.groups.assignors import Assignment, Candidate, Counts, TopicId

Pair = tuple[TopicId, int]


def assign_simple(candidates: Sequence[Candidate], counts: Counts) -> dict[str, Assignment]:
    """Who is to have what."""
    found: dict[str, set[Pair]] = {each.id: set() for each in candidates}
    readers: dict[frozenset[str], list[TopicId]] = {}
    for topic in counts:
        names = frozenset(each.id for each in candidates if topic in each.topics)
        if names:
            readers.setdefault(names, []).append(topic)
    owned = {each.id: each.owned for each in candidates}
    for names, topics in readers.items():
        partitions = [(topic, index) for topic in topics for index in range(counts[topic])]
        for member, pairs in _even(sorted(names), partitions, owned).items():
            found[member] |= pairs
    return {member: _assignment(pairs) for member, pairs in found.items()}


def _even(
    members: Sequence[str], partitions: Sequence[Pair], owned: Mapping[str, Assignment]
) -> dict[str, set[Pair]]:
    sharing = -(-len(members) // len(partitions))
    slots = sharing * len(partitions)
    quota = {
        member: -(-slots * (place + 1) // len(members)) - -(-slots * place // len(members))
        for place, member in enumerate(members)
    }
    found: dict[str, set[Pair]] = {member: set() for member in members}
    shares = dict.fromkeys(partitions, 0)
    for member in members:
        for topic, indexes in owned[member].items():
            for index in sorted(indexes):
                pair = (topic, index)
                if len(found[member]) < quota[member] and shares.get(pair, sharing) < sharing:
                    found[member].add(pair)
                    shares[pair] += 1
    place = {pair: number for number, pair in enumerate(partitions)}
    left = [(count, place[pair]) for pair, count in shares.items() if count < sharing]
    heapify(left)
    for member in members:
        passed: list[tuple[int, int]] = []
        while len(found[member]) < quota[member] and left:
            count, number = heappop(left)
            pair = partitions[number]
            if pair in found[member]:
                passed.append((count, number))
                continue
            found[member].add(pair)
            shares[pair] += 1
            if count + 1 < sharing:
                passed.append((count + 1, number))
        for each in passed:
            heappush(left, each)
    for pair, count in shares.items():
        if not count:  # nobody's: the last that could take it has its quota, or all else already
            found[min(members, key=lambda member: len(found[member]))].add(pair)
    return found


def _assignment(pairs: Iterable[Pair]) -> Assignment:
    found: dict[TopicId, set[int]] = {}
    for topic, index in pairs:
        found.setdefault(topic, set()).add(index)
    return {topic: frozenset(indexes) for topic, indexes in found.items()}
