"""The shipped routing index is what the models of the pinned botocore say."""

import importlib.metadata
import json
import pathlib

import pytest

from cloudlet.aws.index import ROUTES, derive
from cloudlet.aws.models import Models

LOCK = pathlib.Path(__file__).parents[2] / "locks" / "dev.txt"


def test_the_routing_index_is_current():
    installed = f"botocore=={importlib.metadata.version('botocore')}"
    if installed not in LOCK.read_text(encoding="utf-8").splitlines():
        pytest.skip(f"the index is made from the pinned botocore, this is {installed}")
    assert json.loads(ROUTES.read_bytes()) == derive(Models()), "run `python -m cloudlet.aws.index`"
