"""Counters of calls and the gauges beside them, as Prometheus reads them."""

from cloudlet.aws import metrics
from cloudlet.aws.metrics import Metrics


def test_calls_are_counted_by_service_operation_and_code():
    counted = Metrics()
    counted.called("sqs", "SendMessage", "OK", 0.2)
    counted.called("sqs", "SendMessage", "OK", 3.0)
    counted.called("sqs", "SendMessage", "QueueDoesNotExist", 9_000.0)
    lines = counted.exposition().splitlines()
    labels = 'service="sqs",operation="SendMessage",code="OK"'
    assert f"cloudlet_aws_call_duration_seconds_count{{{labels}}} 2" in lines
    assert f"cloudlet_aws_call_duration_seconds_sum{{{labels}}} 0.003200" in lines
    assert f'cloudlet_aws_call_duration_seconds_bucket{{{labels},le="0.0001"}} 0' in lines
    assert f'cloudlet_aws_call_duration_seconds_bucket{{{labels},le="0.00025"}} 1' in lines
    assert f'cloudlet_aws_call_duration_seconds_bucket{{{labels},le="5"}} 2' in lines
    slow = 'service="sqs",operation="SendMessage",code="QueueDoesNotExist"'
    assert f'cloudlet_aws_call_duration_seconds_bucket{{{slow},le="5"}} 0' in lines
    assert f'cloudlet_aws_call_duration_seconds_bucket{{{slow},le="+Inf"}} 1' in lines


def test_made_up_names_do_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(metrics, "SERIES_MAX", 3)
    counted = Metrics()
    for number in range(100):
        counted.called("sqs", f"Operation{number}", "OK", 0.1)
    counts = [line for line in counted.exposition().splitlines() if "_count" in line]
    assert len(counts) == 4
    assert (
        'cloudlet_aws_call_duration_seconds_count{service="other",operation="other",code="other"} 97'
        in counts
    )


def test_a_gauge_is_read_when_it_is_asked_for():
    counted = Metrics()
    reading = [1.5]
    counted.gauge("cloudlet_loop_lag_seconds", "How late the loop is.", lambda: reading[0])
    assert "cloudlet_loop_lag_seconds 1.5" in counted.exposition()
    reading[0] = 2.5
    assert "cloudlet_loop_lag_seconds 2.5" in counted.exposition()
