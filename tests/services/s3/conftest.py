import pytest
from tests.cloud import running


@pytest.fixture(params=["memory", "disk", "hostile"])
def cloud(request, tmp_path):
    with running(engine=request.param, folder=tmp_path) as cloud:
        yield cloud


@pytest.fixture
def s3(cloud):
    return cloud.client("s3")
