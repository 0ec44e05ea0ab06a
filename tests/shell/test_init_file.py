"""The file of --init: what it may say, and how what it may not say is refused."""

import pytest

from cloudlet.aws.inside import Place
from cloudlet.shell.init_file import read
from cloudlet.shell.initialise import BadFile

OWN = Place("000000000000", "us-east-1")


def wanted(text):
    return read("shop.toml", text, OWN)


def test_queues_stand_behind_the_ones_for_their_dead_letters():
    found = wanted("""
        [[queues]]
        name = "a"
        dead_letter_queue = "b"
        [[queues]]
        name = "b"
        dead_letter_queue = "c"
        max_receive_count = 2
        [[queues]]
        name = "c"
    """)
    assert [queue.name for queue in found.queues] == ["c", "b", "a"]
    assert [queue.receive_count for queue in found.queues] == [10, 2, 10]


def test_values_are_spelled_as_aws_spells_attributes():
    [queue] = wanted("""
        [[queues]]
        name = "ledger.fifo"
        account = "111111111111"
        region = "eu-west-1"
        attributes = { VisibilityTimeout = 60, ContentBasedDeduplication = true }
    """).queues
    assert queue.place == Place("111111111111", "eu-west-1")
    assert queue.attributes == {
        "VisibilityTimeout": "60", "ContentBasedDeduplication": "true", "FifoQueue": "true",
    }  # fmt: skip


def test_a_bucket_is_in_the_clouds_own_place_unless_it_says_more():
    plain, full = wanted("""
        buckets = [
            { name = "plain" },
            { name = "full", versioning = true, region = "eu-west-1", tags = { a = "b" } },
        ]
    """).buckets
    assert (plain.place, plain.is_versioned) == (OWN, None)
    assert (full.place.region, full.is_versioned, full.tags) == ("eu-west-1", True, {"a": "b"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("queues = ", "this is not TOML"),
        ("[[topics]]\nname = 'orders'\npartitions = 0", "[[topics]] 1 (orders): partitions is not a whole"),
        ("[[topics]]\nname = 'orders'\nreplicas = 3", "[[topics]] 1 (orders): replicas is not a key"),
        ("[[topics]]\nname = 'a'\n[[topics]]\nname = 'a'", "[[topics]] 2 (a): name is in the file twice"),
        ("[[streams]]\nname = 'a'", "streams: there is no such table"),
        ("[queues]\nname = 'a'", "queues must be written as [[queues]]"),
        ("[[queues]]\nfifo = true", "[[queues]] 1: name is missing"),
        ("[[queues]]\nname = 7", "[[queues]] 1: name is not a text"),
        (
            "[[queues]]\nname = 'a'\n[[queues]]\nname = 'b'\nacount = '1'",
            "[[queues]] 2 (b): acount is not a key",
        ),
        ("[[queues]]\nname = 'a'\naccount = '1'", "(a): account is not of 12 digits"),
        ("[[queues]]\nname = 'a'\nregion = 'Paris'", "(a): region is not the name of a region"),
        ("[[queues]]\nname = 'a'\nfifo = true", "(a): fifo disagrees with the name"),
        ("[[queues]]\nname = 'a.fifo'\nfifo = false", "(a.fifo): fifo disagrees with the name"),
        ("[[queues]]\nname = 'a.fifo'\nattributes.FifoQueue = false", "attributes.FifoQueue disagrees"),
        ("[[queues]]\nname = 'a'\nattributes = { DelaySeconds = 1.5 }", "attributes.DelaySeconds is neither"),
        ("[[queues]]\nname = 'a'\ntags = 'b'", "(a): tags is not a table"),
        ("[[queues]]\nname = 'a'\nmax_receive_count = 3", "max_receive_count means nothing without"),
        (
            "[[queues]]\nname = 'a'\ndead_letter_queue='b'\nmax_receive_count = 0",
            "is not a whole number from 1",
        ),
        (
            "[[queues]]\nname = 'a'\ndead_letter_queue='b'\nattributes.RedrivePolicy='{}'",
            "dead_letter_queue and attributes.RedrivePolicy say the same",
        ),
        ("[[queues]]\nname = 'a'\ndead_letter_queue='a'", "(a): dead_letter_queue leads back to this queue"),
        (
            "[[queues]]\nname = 'a'\ndead_letter_queue='b'\n[[queues]]\nname = 'b'\ndead_letter_queue='a'",
            "(a): dead_letter_queue leads back to this queue",
        ),
        ("[[buckets]]\nname = 'a'\n[[buckets]]\nname = 'a'", "[[buckets]] 2 (a): name is in the file twice"),
        ("[[buckets]]\nname = 'a'\nversioning = 'yes'", "(a): versioning is neither true nor false"),
    ],
)
def test_what_is_refused_names_file_table_and_key(text, said):
    with pytest.raises(BadFile) as refused:
        wanted(text)
    assert str(refused.value).startswith("shop.toml: ")
    assert said in str(refused.value)
