"""etcd's flags, as far as they mean something here."""

import pytest

from cloudlet.coord.etcd.settings import EtcdSettings, settings_of


@pytest.mark.parametrize(
    ("name", "text", "member", "value"),
    [
        ("quota-backend-bytes", "16777216", "quota_bytes", 16777216),
        ("max-request-bytes", "10", "request_bytes_max", 10),
        ("max-txn-ops", "256", "operations_max", 256),
        ("election-timeout", "1000", "lease_seconds_min", 2),
        ("election-timeout", "100", "lease_seconds_min", 1),
        ("election-timeout", "5000", "lease_seconds_min", 8),
        ("watch-progress-notify-interval", "1m30s", "progress_s", 90),
        ("experimental-watch-progress-notify-interval", "1ms", "progress_s", 0.1),
    ],
)
def test_a_flag(name, text, member, value):
    assert getattr(settings_of([(name, text)]), member) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("data-dir", "/x"),
        ("max-txn-ops", "0"),
        ("max-txn-ops", "-1"),
        ("max-txn-ops", "many"),
        ("watch-progress-notify-interval", "10"),
    ],
)
def test_what_is_refused(name, text):
    with pytest.raises(ValueError, match=r"this is|there is no"):
        settings_of([(name, text)])


def test_without_flags_all_is_as_etcd_has_it():
    assert settings_of([]) == EtcdSettings(2, 600.0, 2 << 30, 1536 << 10, 128)
