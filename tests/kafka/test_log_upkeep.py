"""The upkeep of a running broker: its intervals are the properties, also when they change."""

import math

from tests.kafka.running_broker import running_broker

from cloudlet.kafka.config_records import ConfigType, store_configs
from cloudlet.kafka.log_upkeep import LogUpkeep


def rhythm(broker):
    return broker.call(lambda: broker.broker.part(LogUpkeep)._rhythm())


def test_the_rhythm_is_the_properties_also_when_they_change(tmp_path):
    with running_broker(tmp_path, log_retention_check_interval_ms=7000) as broker:
        assert (rhythm(broker).retention_s, rhythm(broker).cleaning_s) == (7, 15)

        async def change(**values):
            configs = {name.replace("_", "."): value for name, value in values.items()}
            inner = broker.broker
            await store_configs(inner.keys, inner.author(), ConfigType.BROKER, "", configs)
            inner.change_configs()

        broker.call(lambda: change(log_cleaner_backoff_ms="200"))
        assert rhythm(broker).cleaning_s == 0.2
        broker.call(lambda: change(log_cleaner_threads="0"))
        assert rhythm(broker).cleaning_s == math.inf


def test_a_cleaner_that_is_not_enabled_cleans_nothing(tmp_path):
    with running_broker(tmp_path, log_cleaner_enable="false") as broker:
        assert rhythm(broker).cleaning_s == math.inf


def test_a_topic_that_is_deleted_in_the_middle_of_a_round_is_left_alone(tmp_path):
    """To open it would be refused, and end the upkeep of all others for good."""
    with running_broker(tmp_path) as broker:

        async def work():
            inner = broker.broker
            image = await inner.create_topic("gone", inner.spread(3), {})
            await inner.create_topic("here", inner.spread(1), {})
            round_of = inner.part(LogUpkeep)._held()
            first = next(held for held in round_of if held.topic == "gone")
            await inner.delete_topic(image)
            return first.index, [held.topic for held in round_of if held.topic in ("gone", "here")]

        assert broker.call(work) == (0, ["here"])
