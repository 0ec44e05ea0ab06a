"""Configuration: the values, sources, synonyms, errors and texts are those of Apache Kafka 4.3."""

import pytest
from tests.kafka.raw_client import RawClient
from tests.kafka.running_broker import running_broker
from tests.kafka.test_create_topics import creatable, create

from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

TOPIC, BROKER, CLIENT_METRICS, GROUP = 2, 4, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)
INVALID = "Invalid value {} for configuration {}: {}"


@pytest.fixture
def client(kafka):
    with RawClient(kafka.address) as client:
        yield client


def change(client, kind, name, *changes, dry=False):
    """(error code, message) of an incremental change; each change is (name, op, value)."""
    cls = messages.IncrementalAlterConfigsRequest
    configs = [cls.AlterableConfig(Name=key, ConfigOperation=op, Value=value) for key, op, value in changes]
    resource = cls.AlterConfigsResource(ResourceType=kind, ResourceName=name, Configs=configs)
    (row,) = client.ask(cls(Resources=[resource], ValidateOnly=dry), 1).Responses
    return row.ErrorCode, row.ErrorMessage


def described(client, kind, name, keys=None, version=4):
    """(error code, message, name -> row)."""
    cls = messages.DescribeConfigsRequest
    resource = cls.DescribeConfigsResource(ResourceType=kind, ResourceName=name, ConfigurationKeys=keys)
    (result,) = client.ask(cls(Resources=[resource], IncludeSynonyms=True), version).Results
    return result.ErrorCode, result.ErrorMessage, {row.Name: row for row in result.Configs}


def layers(row):
    return [(synonym.Name, synonym.Value, synonym.Source) for synonym in row.Synonyms]


TOPIC_VALUES = {
    ("retention.ms", "x"): "Not a number of type LONG",
    ("retention.ms", "-5"): "Value must be at least -1",
    ("retention.ms", "1_000"): "Not a number of type LONG",
    ("max.message.bytes", "99999999999"): "Not a number of type INT",
    ("segment.bytes", "10"): "Value must be at least 1048576",
    ("cleanup.policy", "foo"): "String must be one of: compact, delete",
    ("preallocate", "maybe"): "Expected value to be either true or false",
    ("compression.gzip.level", "12"): "Value must be between 1 and 9 or equal to -1",
    ("min.insync.replicas", "0"): "Value must be at least 1",
    ("message.timestamp.type", "x"): "String must be one of: CreateTime, LogAppendTime",
    ("compression.type", "foo"):
        "String must be one of: uncompressed, zstd, lz4, snappy, gzip, producer",
}  # fmt: skip


@pytest.mark.parametrize(("key", "value"), TOPIC_VALUES)
def test_a_topics_bad_value_is_refused_in_kafkas_words(client, name, key, value):
    create(client, creatable(name))
    text = INVALID.format(value, key, TOPIC_VALUES[key, value])
    assert change(client, TOPIC, name, (key, SET, value)) == (ErrorCode.INVALID_CONFIG, text)


def test_odd_texts_of_errors(client, name):
    create(client, creatable(name))
    for key, value, text in (
        (
            "min.cleanable.dirty.ratio", "2",
            "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
        ),
        (
            "follower.replication.throttled.replicas", "foo",
            "Invalid value [foo] for configuration follower.replication.throttled.replicas: "
            "follower.replication.throttled.replicas must be the literal '*' or a list of replicas in the "
            "following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
        ),
        (
            "remote.storage.enable", "true",
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote "
            "log storage.",
        ),
        ("zork", "1", "Unknown topic config name: zork"),
    ):  # fmt: skip
        assert change(client, TOPIC, name, (key, SET, value)) == (ErrorCode.INVALID_CONFIG, text)
    lags = [("min.compaction.lag.ms", SET, "100"), ("max.compaction.lag.ms", SET, "50")]
    assert change(client, TOPIC, name, *lags)[1] == (
        "conflict topic config setting min.compaction.lag.ms (100) > max.compaction.lag.ms (50)"
    )


@pytest.mark.parametrize("value", ["", "compact,compact", " compact , delete "])
def test_lists_may_be_odd(client, name, value):
    create(client, creatable(name))
    assert change(client, TOPIC, name, ("cleanup.policy", SET, value)) == (0, None)


def test_a_topics_properties_are_set_appended_and_taken_away(client, name):
    create(client, creatable(name))

    def policy():
        return described(client, TOPIC, name)[2]["cleanup.policy"].Value

    assert change(client, TOPIC, name, ("cleanup.policy", APPEND, "compact")) == (0, None)
    assert policy() == "delete,compact"
    assert change(client, TOPIC, name, ("cleanup.policy", SUBTRACT, "delete")) == (0, None)
    assert policy() == "compact"
    assert change(client, TOPIC, name, ("cleanup.policy", SET, "delete"), dry=True) == (0, None)
    assert policy() == "compact"
    assert change(client, TOPIC, name, ("cleanup.policy", DELETE, None)) == (0, None)
    assert policy() == "delete"
    code, text = change(client, TOPIC, name, ("retention.ms", APPEND, "1"))
    assert (code, text) == (
        ErrorCode.INVALID_CONFIG, "Can't APPEND to key retention.ms because its type is not LIST."
    )  # fmt: skip


THREADS = "background.threads"
BROKER_CHANGES = {
    ("1", "node.id", "4"): (42, "Cannot update these configs dynamically: [node.id]"),
    ("1", "num.partitions", "4"): (42, "Cannot update these configs dynamically: [num.partitions]"),
    ("1", "zork", "4"): (0, None),
    ("1", "background.threads", "x"): (42, INVALID.format("x", THREADS, "Not a number of type INT")),
    ("1", "background.threads", "0"): (42, INVALID.format("0", THREADS, "Value must be at least 1")),
    ("2", "log.retention.ms", "1"): (42, "Unexpected broker id, expected 1, but received 2"),
    ("x", "log.retention.ms", "1"): (42, "Node id must be an integer, but it is: x"),
    ("", "ssl.client.auth", "required"): (
        42,
        "Cannot update these configs at default cluster level, broker id must be specified: "
        "[ssl.client.auth]",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "key", "value"), BROKER_CHANGES)
def test_a_brokers_properties_change_as_far_as_kafka_allows(client, name, key, value):
    assert change(client, BROKER, name, (key, SET, value)) == BROKER_CHANGES[name, key, value]


def test_synonyms_are_told_nearest_first_and_hold(tmp_path):
    with running_broker(tmp_path) as broker:
        with RawClient(broker.address) as client:
            create(client, creatable("t", configs=[("retention.ms", "10000")]), creatable("u"))
            assert change(client, BROKER, "1", ("log.retention.ms", SET, "100000000"))[0] == 0
            assert change(client, BROKER, "", ("log.retention.ms", SET, "100000001"))[0] == 0
        broker.restart()
        with RawClient(broker.address) as client:
            row = described(client, TOPIC, "t")[2]["retention.ms"]
            assert (row.Value, row.ConfigSource, row.ReadOnly, row.ConfigType) == ("10000", 1, False, 5)
            below = [
                ("log.retention.ms", "100000000", 2),
                ("log.retention.ms", "100000001", 3),
                ("log.retention.hours", "168", 5),
            ]
            assert layers(row) == [("retention.ms", "10000", 1), *below]
            row = described(client, TOPIC, "u")[2]["retention.ms"]
            assert (row.Value, row.ConfigSource, layers(row)) == ("100000000", 2, below)
            row = described(client, BROKER, "1")[2]["log.retention.ms"]
            assert (row.Value, row.ConfigSource, layers(row)) == ("100000000", 2, below)
            code, text, rows = described(client, BROKER, "")
            assert (code, text) == (0, "")
            # the second one is everybody's from the start, with eligible leader replicas (KIP-966)
            assert {key: row.Value for key, row in rows.items()} == {
                "log.retention.ms": "100000001",
                "min.insync.replicas": "1",
            }
        settings = broker.call(lambda: broker.broker.partition("u", 0).settings)
        assert settings.retention_ms == 100_000_000


def test_a_change_holds_for_open_partitions_at_once(kafka, client, name):
    create(client, creatable(name))
    partition = kafka.call(lambda: kafka.broker.partition(name, 0))
    change(client, TOPIC, name, ("max.message.bytes", SET, "1234"))
    assert partition.settings.max_message_bytes == 1234
    change(client, BROKER, "1", ("message.max.bytes", SET, "77777"))
    change(client, TOPIC, name, ("max.message.bytes", DELETE, None))
    assert partition.settings.max_message_bytes == 77_777
    change(client, BROKER, "1", ("message.max.bytes", DELETE, None))
    assert partition.settings.max_message_bytes == 1_048_588


def test_what_is_secret_or_unknown_is_not_told(client):
    secrets = [("sasl.jaas.config", SET, "secret"), ("zork", SET, "secret")]
    assert change(client, BROKER, "1", *secrets) == (0, None)
    rows = described(client, BROKER, "1")[2]
    for key in ("sasl.jaas.config", "zork"):
        assert rows[key].IsSensitive
        assert rows[key].Value is None
        assert {value for _, value, _ in layers(rows[key])} == {None}
    change(client, BROKER, "1", ("sasl.jaas.config", DELETE, None), ("zork", DELETE, None))


def test_a_broker_is_described_whole(client):
    rows = described(client, BROKER, "1")[2]
    assert len(rows.keys() - {"zork"}) == 340
    assert rows["node.id"].Value == rows["broker.id"].Value == "1"
    assert (rows["group.initial.rebalance.delay.ms"].Value, rows["num.partitions"].ReadOnly) == ("100", True)
    assert rows["log.dirs"].Value.endswith("kafka/1")
    assert rows["listeners"].Value.startswith("PLAINTEXT://127.0.0.1:")


@pytest.mark.parametrize("version", range(1, 5))
def test_single_properties_can_be_asked_for(client, name, version):
    create(client, creatable(name))
    code, _, rows = described(client, TOPIC, name, ["retention.ms", "nope"], version)
    assert (code, list(rows)) == (0, ["retention.ms"])
    assert len(described(client, TOPIC, name, [], version)[2]) == 33


NOT_DESCRIBED = {
    (BROKER, "2"): (42, "Unexpected broker id, expected 1 or empty string, but received 2"),
    (BROKER, "x"): (42, "Broker id must be an integer, but it is: x"),
    (TOPIC, "nope"): (3, ""),
    (TOPIC, ""): (17, "Topic name is invalid: the empty string is not allowed"),
    (GROUP, ""): (42, "Group name must not be empty"),
    (CLIENT_METRICS, ""): (42, "Client metrics subscription name must not be empty"),
}


@pytest.mark.parametrize(("kind", "name"), NOT_DESCRIBED)
def test_what_is_not_there_is_not_described(client, kind, name):
    assert described(client, kind, name)[:2] == NOT_DESCRIBED[kind, name]


def test_groups_have_properties_within_the_brokers_bounds(client, name):
    key = "consumer.session.timeout.ms"
    assert change(client, GROUP, name, (key, SET, "46000")) == (0, None)
    row = described(client, GROUP, name)[2][key]
    assert (row.Value, row.ConfigSource) == ("46000", 8)
    assert layers(row) == [(key, "46000", 8), ("group.consumer.session.timeout.ms", "45000", 5)]
    assert change(client, GROUP, name, (key, SET, "4")) == (
        40, f"{key} must be greater than or equal to group.consumer.min.session.timeout.ms",
    )  # fmt: skip
    assert change(client, GROUP, name, ("a", SET, "4")) == (40, "Unknown group config name: a")
    interval = "share.heartbeat.interval.ms"
    assert (
        change(client, GROUP, name, ("share.session.timeout.ms", SET, "45000"), (interval, SET, "15000"))[0]
        == 0
    )
    reset = "share.auto.offset.reset"
    assert change(client, GROUP, name, (reset, SET, "by_duration:PT1H"))[0] == 0
    assert change(client, GROUP, name, (reset, SET, "by_duration:1h")) == (
        40, f"Invalid value by_duration:1h for configuration {reset}: Invalid value `by_duration:1h` for "
        f"configuration {reset}. The value must be either 'earliest', 'latest' or of the format "
        "'by_duration:<PnDTnHnMn.nS>'.",
    )  # fmt: skip


def test_a_groups_sessions_outlast_its_heartbeats(tmp_path):
    more = {"group_share_min_session_timeout_ms": 1000}
    with running_broker(tmp_path, **more) as broker, RawClient(broker.address) as client:
        session = "share.session.timeout.ms"
        assert change(client, GROUP, "g", (session, SET, "5000")) == (
            40, f"{session} must be greater than share.heartbeat.interval.ms"
        )  # fmt: skip
        assert change(client, GROUP, "g", (session, SET, "5001"))[0] == 0


def test_a_group_of_no_name_has_no_properties(client, name):
    assert change(client, GROUP, "", ("a", SET, "4")) == (42, "Default group resources are not allowed.")


def test_a_whole_change_forgets_what_it_does_not_name(client, name):
    create(client, creatable(name, configs=[("retention.ms", "1"), ("segment.ms", "2")]))
    cls = messages.AlterConfigsRequest
    config = cls.AlterableConfig(Name="cleanup.policy", Value="compact")
    resource = cls.AlterConfigsResource(ResourceType=TOPIC, ResourceName=name, Configs=[config])
    for version in range(3):
        (row,) = client.ask(cls(Resources=[resource]), version).Responses
        assert (row.ErrorCode, row.ErrorMessage) == (0, None)
    rows = described(client, TOPIC, name)[2]
    assert {key for key, row in rows.items() if row.ConfigSource == 1} == {"cleanup.policy"}


def test_resources_and_keys_may_come_once(client, name):
    create(client, creatable(name))
    twice = [("retention.ms", SET, "1"), ("retention.ms", SET, "2")]
    assert change(client, TOPIC, name, *twice) == (42, "Error due to duplicate config keys")
    assert change(client, TOPIC, name, ("retention.ms", SET, None)) == (
        42, "Null value not supported for : retention.ms"
    )  # fmt: skip
    assert change(client, 99, "x", ("a", SET, "b")) == (42, "Unknown resource type 99")


def test_how_many_replicas_are_in_sync_is_the_clusters_affair(client):
    key = "min.insync.replicas"
    row = described(client, BROKER, "1")[2][key]
    assert (row.Value, row.ConfigSource) == ("1", 3)
    assert change(client, BROKER, "", (key, DELETE, None)) == (
        40, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.",
    )  # fmt: skip
    assert change(client, BROKER, "1", (key, SET, "2"))[0] == 40
