"""What properties may hold, and what holds for a broker and a topic."""

import pytest

from cloudlet.kafka.configs import (
    Configs,
    InvalidConfig,
    broker_definitions,
    check_given,
    group_definitions,
    parse,
    topic_definitions,
)


@pytest.mark.parametrize("definitions", [broker_definitions, topic_definitions, group_definitions])
def test_every_default_is_a_value_of_its_property(definitions):
    for definition in definitions().values():
        if definition.default is not None:
            parse(definition, definition.default)


def test_a_topics_properties_fall_back_to_ones_of_the_broker():
    for definition in topic_definitions().values():
        for name, factor in definition.synonyms:
            assert name in broker_definitions()
            assert factor in (1, 60_000, 3_600_000)


def test_values_have_types():
    known = topic_definitions()
    assert parse(known["retention.ms"], " 5 ") == 5
    assert parse(known["preallocate"], "TRUE") is True
    assert parse(known["min.cleanable.dirty.ratio"], "0.25") == 0.25
    assert parse(known["cleanup.policy"], " delete , compact ") == ("delete", "compact")
    for text in ("1_0", "٣", "", "9223372036854775808", "1.0"):
        with pytest.raises(InvalidConfig):
            parse(known["retention.ms"], text)
    with pytest.raises(InvalidConfig):
        parse(known["min.cleanable.dirty.ratio"], "nan")


def test_the_nearest_layer_holds():
    configs = Configs({"log.retention.hours": "2"})
    assert configs.number("log.retention.ms") == 2 * 3_600_000
    assert configs.topic_number({}, "retention.ms") == 2 * 3_600_000
    configs.change(shared={"log.retention.ms": "5"})
    assert configs.topic_number({}, "retention.ms") == 5
    configs.change(own={"log.retention.ms": "6"})
    assert configs.topic_number({}, "retention.ms") == 6
    assert configs.topic_number({"retention.ms": "7"}, "retention.ms") == 7
    configs.change(own={}, shared={})
    assert configs.topic_number({}, "retention.ms") == 2 * 3_600_000


def test_a_fresh_broker_has_kafkas_defaults_but_for_what_is_shipped():
    configs = Configs({})
    assert configs.number("num.partitions") == 1
    assert configs.flag("auto.create.topics.enable")
    assert configs.number("group.initial.rebalance.delay.ms") == 100
    assert configs.number("offsets.topic.replication.factor") == 1
    assert configs.topic_number({}, "segment.ms") == 168 * 3_600_000
    assert configs.topic_value({}, "cleanup.policy") == ("delete",)


def test_a_misspelt_property_is_refused_at_the_start():
    check_given({"num.partitions": "3"})
    with pytest.raises(InvalidConfig, match=r"Unknown broker property: num\.partition$"):
        check_given({"num.partition": "3"})
