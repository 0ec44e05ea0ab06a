"""Scripts of transactions, run against a broker by raw requests; what it answers is the trace.

A line is a command, and what came of it behind the arrow:

    init v4 a                       -> A/0              InitProducerId; A: the first producer id of the script
    init v4 a as b                  -> PRODUCER_FENCED  with the identity that b has
    add v3 a 0 1                    -> 0 NONE, 1 NONE   AddPartitionsToTxn
    verify v5 a 0                   -> 0 NONE           the same, as a broker asks
    join v3 a                       -> NONE             AddOffsetsToTxn
    produce v9 a 0 [seq 5]          -> NONE             one record in the transaction; `plain`: outside of it
    offset v3 a 7                   -> NONE             TxnOffsetCommit
    end v4 a commit                 -> NONE             EndTxn; since version 5 with the identity from then on
    describe                        -> Ongoing A/0 0 1  DescribeTransactions
    ends                            -> 0: 3 0, 1: 4 4   the last offset, and the last stable one
    producers 0                     -> A/0 seq 4 start 0
    committed                       -> 7                OffsetFetch

An identity is a letter: of a client that has asked for one. `a^` has an epoch too high, `a_` one too low,
`a~` another producer id. What is refused since a transaction is just being ended is asked again.

The traces in the folder of that name are a real Apache Kafka's, recorded by

    python -m tests.kafka.transactions.scripts HOST:PORT
"""

import pathlib
import random
import sys
import time

from tests.kafka.raw_client import RawClient

from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.records import TRANSACTIONAL, Producer, Record, encode

PARTITIONS = 2
TRIES = 200
PAUSE_SECONDS = 0.02
TIMEOUT_MS = 60_000
LATEST = -1
STRANGER = 1 << 60
FIRST_VERSIONS = (("v9", "v3", "v4"), ("v11", "v4", "v4"), ("v3", "v0", "v0"), ("v10", "v2", "v2"))
AGAIN = (
    ErrorCode.CONCURRENT_TRANSACTIONS,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
    ErrorCode.NOT_ENOUGH_REPLICAS,
    ErrorCode.NOT_LEADER_OR_FOLLOWER,
    ErrorCode.UNKNOWN_TOPIC_ID,
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
)


class Script:
    """One run: `run` gives a command's result. Names begin with `name`, which no other run has."""

    def __init__(self, client, name):
        self.client = client
        self.name = name
        self.identities = {}  # letter -> (producer id, epoch)
        self.letters = {}  # producer id -> as it is shown
        self.sequences = {}  # (producer id, epoch, partition) -> the next one
        self._make()

    def _make(self):
        request = messages.CreateTopicsRequest
        topic = request.CreatableTopic(Name=self.name, NumPartitions=PARTITIONS, ReplicationFactor=1)
        answer = self.client.ask(request(Topics=[topic], timeoutMs=10_000), 6)
        assert not answer.Topics[0].ErrorCode, answer
        self._again(
            lambda: (
                self.client.ask(messages.FindCoordinatorRequest(KeyType=1, CoordinatorKeys=[self.name]), 4)
                .Coordinators[0]
                .ErrorCode
            )
        )
        self._again(
            lambda: (
                self.client.ask(messages.FindCoordinatorRequest(KeyType=0, CoordinatorKeys=[self.name]), 4)
                .Coordinators[0]
                .ErrorCode
            )
        )
        self._again(lambda: max(row[0] for row in self._offsets(0)))

    def run(self, line):
        word, *rest = line.split()
        if rest and rest[0].startswith("v"):
            return getattr(self, f"do_{word}")(int(rest[0][1:]), *rest[1:])
        return getattr(self, f"do_{word}")(*rest)

    # --- identities

    def shown(self, producer_id, epoch):
        if producer_id < 0:
            return f"none/{epoch}"
        letter = self.letters.setdefault(producer_id, chr(ord("A") + len(self.letters)))
        return f"{letter}/{epoch}"

    def who(self, text):
        if text == "none":
            return -1, -1
        producer_id, epoch = self.identities.get(text[0], (STRANGER, 0))
        for mark in text[1:]:
            if mark == "~":
                producer_id = STRANGER
            else:
                epoch += {"^": 1, "_": -1}[mark]
        return producer_id, epoch

    def _again(self, ask):
        """The code of the first answer that is not to be tried again."""
        for _ in range(TRIES):
            code = ask()
            if code not in AGAIN:
                return ErrorCode(code)
            time.sleep(PAUSE_SECONDS)
        return ErrorCode(code)

    def _quiet(self):
        """Wait until the markers are written."""
        for _ in range(TRIES):
            if not self._described().TransactionState.startswith("Prepare"):
                return
            time.sleep(PAUSE_SECONDS)

    # --- commands

    def do_init(self, version, who, _as=None, said="none"):
        producer_id, epoch = self.who(said)

        def ask():
            self.answer = self.client.ask(
                messages.InitProducerIdRequest(
                    TransactionalId=self.name,
                    TransactionTimeoutMs=TIMEOUT_MS,
                    ProducerId=producer_id,
                    ProducerEpoch=epoch,
                ),
                version,
            )
            return self.answer.ErrorCode

        code = self._again(ask)
        if code:
            return code.name
        self.identities[who] = self.answer.ProducerId, self.answer.ProducerEpoch
        return self.shown(*self.identities[who])

    def do_add(self, version, who, *indexes):
        producer_id, epoch = self.who(who)
        schema = messages.AddPartitionsToTxnRequest
        topic = schema.AddPartitionsToTxnTopic(Name=self.name, Partitions=[int(each) for each in indexes])
        request = schema(
            V3AndBelowTransactionalId=self.name,
            V3AndBelowProducerId=producer_id,
            V3AndBelowProducerEpoch=epoch,
            V3AndBelowTopics=[topic],
        )

        def ask():
            answer = self.client.ask(request, version)
            self.rows = answer.ResultsByTopicV3AndBelow[0].ResultsByPartition
            codes = {row.PartitionErrorCode for row in self.rows}
            return min(codes & set(AGAIN) - {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}, default=ErrorCode.NONE)

        self._again(ask)
        return self._partition_codes()

    def do_verify(self, version, who, *indexes, is_only=True):
        producer_id, epoch = self.who(who)
        schema = messages.AddPartitionsToTxnRequest
        request = schema(
            Transactions=[
                schema.AddPartitionsToTxnTransaction(
                    TransactionalId=self.name,
                    ProducerId=producer_id,
                    ProducerEpoch=epoch,
                    VerifyOnly=is_only,
                    Topics=[
                        schema.AddPartitionsToTxnTopic(
                            Name=self.name, Partitions=[int(each) for each in indexes]
                        )
                    ],
                )
            ]
        )

        def ask():
            answer = self.client.ask(request, version)
            if answer.ErrorCode:
                return answer.ErrorCode
            self.rows = answer.ResultsByTransaction[0].TopicResults[0].ResultsByPartition
            codes = {row.PartitionErrorCode for row in self.rows}
            return min(codes & set(AGAIN) - {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}, default=ErrorCode.NONE)

        self._again(ask)
        return self._partition_codes()

    def do_insert(self, version, who, *indexes):
        return self.do_verify(version, who, *indexes, is_only=False)

    def _partition_codes(self):
        rows = sorted(self.rows, key=lambda row: row.PartitionIndex)
        return ", ".join(f"{row.PartitionIndex} {ErrorCode(row.PartitionErrorCode).name}" for row in rows)

    def do_join(self, version, who):
        producer_id, epoch = self.who(who)
        request = messages.AddOffsetsToTxnRequest(
            TransactionalId=self.name, ProducerId=producer_id, ProducerEpoch=epoch, GroupId=self.name
        )
        return self._again(lambda: self.client.ask(request, version).ErrorCode).name

    def do_produce(self, version, who, index, _seq=None, sequence=None, *, is_plain=False):
        producer_id, epoch = self.who(who)
        place = producer_id, epoch, index
        number = self.sequences.get(place, 0) if sequence is None else int(sequence)
        schema = messages.ProduceRequest

        def ask():
            batch = encode(
                [Record(b"value", timestamp_ms=round(time.time() * 1000))],
                producer=Producer(producer_id, epoch, number),
                attributes=0 if is_plain else TRANSACTIONAL,
            )
            data = schema.PartitionProduceData(Index=int(index), Records=batch)
            request = schema(
                TransactionalId=None if is_plain else self.name,
                Acks=-1,
                TimeoutMs=10_000,
                TopicData=[schema.TopicProduceData(Name=self.name, PartitionData=[data])],
            )
            answer = self.client.ask(request, version)
            return answer.Responses[0].PartitionResponses[0].ErrorCode

        code = self._again(ask)
        if not code:
            self.sequences[place] = number + 1
        return code.name

    def do_plain(self, version, who, index, *more):
        return self.do_produce(version, who, index, *more, is_plain=True)

    def do_offset(self, version, who, offset):
        producer_id, epoch = self.who(who)
        schema = messages.TxnOffsetCommitRequest
        partition = schema.TxnOffsetCommitRequestPartition(PartitionIndex=0, CommittedOffset=int(offset))
        request = schema(
            TransactionalId=self.name,
            GroupId=self.name,
            ProducerId=producer_id,
            ProducerEpoch=epoch,
            Topics=[schema.TxnOffsetCommitRequestTopic(Name=self.name, Partitions=[partition])],
        )
        return self._again(lambda: self.client.ask(request, version).Topics[0].Partitions[0].ErrorCode).name

    def do_end(self, version, who, how):
        producer_id, epoch = self.who(who)
        request = messages.EndTxnRequest(
            TransactionalId=self.name,
            ProducerId=producer_id,
            ProducerEpoch=epoch,
            Committed=how == "commit",
        )

        def ask():
            self.answer = self.client.ask(request, version)
            return self.answer.ErrorCode

        code = self._again(ask)
        self._quiet()
        if code or version < 5:
            return code.name
        if len(who) == 1:
            self.identities[who] = self.answer.ProducerId, self.answer.ProducerEpoch
        return self.shown(self.answer.ProducerId, self.answer.ProducerEpoch)

    # --- what is to be seen

    def _described(self):
        request = messages.DescribeTransactionsRequest(TransactionalIds=[self.name])
        return self.client.ask(request, 0).TransactionStates[0]

    def do_describe(self):
        self._quiet()
        row = self._described()
        if row.ErrorCode:
            return ErrorCode(row.ErrorCode).name
        places = [
            f"{'offsets' if topic.Topic == '__consumer_offsets' else index}"
            for topic in sorted(row.Topics, key=lambda topic: topic.Topic != self.name)
            for index in sorted(topic.Partitions)
        ]
        started = "started" if row.TransactionStartTimeMs >= 0 else "idle"
        parts = [row.TransactionState, self.shown(row.ProducerId, row.ProducerEpoch), started, *places]
        return " ".join(parts)

    def _offsets(self, isolation):
        schema = messages.ListOffsetsRequest
        partitions = [
            schema.ListOffsetsPartition(PartitionIndex=index, Timestamp=LATEST) for index in range(PARTITIONS)
        ]
        request = schema(
            ReplicaId=-1,
            IsolationLevel=isolation,
            Topics=[schema.ListOffsetsTopic(Name=self.name, Partitions=partitions)],
        )
        rows = self.client.ask(request, 5).Topics[0].Partitions
        return sorted((row.ErrorCode, row.PartitionIndex, row.Offset) for row in rows)

    def do_ends(self):
        self._quiet()
        rows = zip(self._offsets(0), self._offsets(1), strict=True)
        return ", ".join(f"{index}: {last} {stable}" for (_, index, last), (_, _, stable) in rows)

    def do_producers(self, index):
        self._quiet()
        schema = messages.DescribeProducersRequest
        topic = schema.TopicRequest(Name=self.name, PartitionIndexes=[int(index)])
        row = self.client.ask(schema(Topics=[topic]), 0).Topics[0].Partitions[0]
        if row.ErrorCode:
            return ErrorCode(row.ErrorCode).name
        found = sorted(
            f"{self.shown(each.ProducerId, each.ProducerEpoch)} seq {each.LastSequence} "
            f"start {each.CurrentTxnStartOffset}"
            for each in row.ActiveProducers
        )
        return ", ".join(found) or "nobody"

    def do_committed(self):
        schema = messages.OffsetFetchRequest
        request = schema(
            GroupId=self.name, Topics=[schema.OffsetFetchRequestTopic(Name=self.name, PartitionIndexes=[0])]
        )

        def ask():
            self.answer = self.client.ask(request, 5)
            return self.answer.ErrorCode

        code = self._again(ask)
        if code:
            return code.name
        row = self.answer.Topics[0].Partitions[0]
        return str(row.CommittedOffset) if not row.ErrorCode else ErrorCode(row.ErrorCode).name


def some_script(seed, length=30, mixed=0.95):
    """A script drawn at random: mostly what clients do, sometimes what they must not. `mixed` is how often
    the requests are those of the version of transactions that the script began with."""
    rng = random.Random(seed)
    is_v2 = rng.random() < 0.5
    lines = ["init v4 a"]
    while len(lines) < length:
        who = rng.choices(["a", "b", "a^", "a_", "a~"], [80, 12, 2, 4, 2])[0]
        index = rng.choice("01")
        speaks_v2 = is_v2 if rng.random() < mixed else not is_v2
        produce, offset, end = ("v12", "v5", "v5") if speaks_v2 else rng.choice(FIRST_VERSIONS)
        word = rng.choices(
            ["init", "add", "produce", "offset", "join", "end", "verify", "plain", "look", "insert"],
            [8, 4 if is_v2 else 20, 30, 6, 2 if is_v2 else 8, 22, 3, 2, 12, 2],
        )[0]
        if word == "init":
            letter = rng.choice("aaab")
            said = rng.choices(["none", "a", "b", "a_", "a^", "a~"], [40, 35, 10, 10, 3, 2])[0]
            lines.append(
                f"init v{rng.choice([3, 4, 5])} {letter}" + ("" if said == "none" else f" as {said}")
            )
        elif word == "add":
            lines.append(f"add v{rng.choice([0, 1, 2, 3])} {who} {rng.choice(['0', '1', '0 1', '0 7'])}")
        elif word == "produce":
            tail = f" seq {rng.choice([0, 1, 5])}" if rng.random() < 0.1 else ""
            lines.append(f"produce {produce} {who} {index}{tail}")
        elif word == "offset":
            lines.append(f"offset {offset} {who} {rng.randrange(100)}")
        elif word == "join":
            lines.append(f"join v{rng.choice([0, 1, 2, 3, 4])} {who}")
        elif word == "end":
            how = "commit" if rng.random() < 0.6 else "abort"
            lines += [f"end {end} {who} {how}"] * rng.choices([1, 2], [5, 1])[0]
        elif word in ("verify", "insert"):
            lines.append(f"{word} {rng.choice(['v4', 'v5'])} {who} {index}")
        elif word == "plain":
            lines.append(f"plain {produce} {who} {index}")
        else:
            lines.append(rng.choice(["describe", "ends", f"producers {index}", "committed"]))
    return [*lines, "describe", "ends", "producers 0", "producers 1", "committed"]


def traced(client, name, lines):
    """The lines with what comes of each."""
    script = Script(client, name)
    return [f"{line} -> {script.run(line)}" for line in lines]


TRACES = pathlib.Path(__file__).parent / "traces"
TOLD = {
    "first": """init v4 a; describe; add v3 a 0 1; describe; produce v9 a 0; produce v9 a 1; ends; producers 0
        join v3 a; describe; offset v3 a 7; committed; end v4 a commit; committed; describe; ends; producers 0
        end v4 a commit; end v4 a abort; add v3 a 0; produce v9 a 0; end v4 a abort; ends; end v4 a abort
        end v4 a commit; describe; producers 0""",
    "second": """init v5 a; produce v12 a 0; produce v12 a 0; describe; offset v5 a 9; describe
        end v5 a commit; committed; ends; producers 0; end v5 a_ commit; end v5 a_ abort
        produce v12 a 0; end v5 a abort
        end v5 a abort; end v5 a abort; describe; end v5 a commit; produce v12 a_ 0; ends; producers 0""",
    "fencing": """init v4 a; add v3 a 0; produce v9 a 0; init v4 b; describe; produce v9 a 0; add v3 a 1
        end v4 a commit; offset v3 a 1; join v3 a; ends; add v3 b 0; produce v9 b 0; end v4 b commit; ends
        init v4 a as a; init v3 a as a; init v4 a as b; init v4 a as a_; describe; init v2 b""",
    "going-on": """init v4 a; add v3 a 0; produce v9 a 0; init v4 a as a; describe; init v4 a as a_
        describe; add v3 a 0; produce v9 a 0; end v4 a abort; init v4 a as a~; init v4 a as a^; describe""",
    "not-added": """init v4 a; produce v9 a 0; produce v11 a 0; offset v3 a 1; offset v4 a 1; verify v4 a 0
        verify v5 a 0; add v3 a 0 7; add v3 a 0; verify v5 a 0; verify v5 a 1; produce v9 a 1; produce v9 a 0
        end v4 a commit; produce v9 a 0; produce v9 a~ 0; verify v5 a~ 0; verify v5 a^ 0; describe""",
    "sequences": """init v4 a; add v3 a 0; produce v9 a 0 seq 1; produce v9 a 0 seq 0; produce v9 a 0 seq 0
        produce v9 a 0 seq 2; produce v9 a 0 seq 1; plain v9 a 0 seq 2; plain v9 a 1; ends; end v4 a commit
        produce v9 a 0 seq 2; add v3 a 0; produce v9 a 0 seq 2; end v4 a commit; ends; producers 0""",
    "sequences-second": """init v4 a; produce v12 a 0 seq 3; produce v12 a 0 seq 0; produce v12 a 0 seq 0
        end v5 a commit; produce v12 a 0 seq 1; produce v12 a 0 seq 0; end v5 a abort; ends; producers 0""",
    "both": """init v4 a; add v3 a 0; produce v9 a 0; end v5 a commit; produce v12 a 0; end v4 a commit
        describe; add v3 a 0; end v4 a abort; describe; insert v4 a 1; describe; produce v9 a 1
        end v5 a abort; ends; describe""",
}
RANDOM_SEEDS = range(24)


def told_scripts():
    """Name -> the lines of every script that has a trace."""
    found = {
        name: [line.strip() for line in text.replace("\n", ";").split(";")] for name, text in TOLD.items()
    }
    for seed in RANDOM_SEEDS:
        found[f"random-{seed:02}"] = some_script(seed, *((60, 0.6) if seed % 2 else (40, 0.95)))
    return found


def record(address):
    """Write the traces anew, from the broker at that address."""
    stamp = int(time.time())
    with RawClient(address) as client:
        for name, lines in told_scripts().items():
            trace = traced(client, f"{name}-{stamp}", lines)
            (TRACES / f"{name}.txt").write_text("\n".join(trace) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record(sys.argv[1])
