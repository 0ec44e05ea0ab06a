"""Models of any botocore that pyproject.toml allows: members that an older one lacks are there too."""

import copy
import json
from importlib import resources

import pytest

from cloudlet.aws.models import Models, with_newer

NEWER = json.loads(resources.files("cloudlet.aws.data").joinpath("newer.json").read_bytes())
MEMBERS = [
    (service, shape, member)
    for service, newer in NEWER.items()
    for shape, members in newer["members"].items()
    for member in members
]


def without_words(said):
    return {name: value for name, value in said.items() if name != "documentation"}


def aged(service):
    """The installed model, as it was before it had the members."""
    raw = copy.deepcopy(Models()._read(service, "service-2"))
    for shape, members in NEWER[service]["members"].items():
        for member in members:
            raw["shapes"][shape]["members"].pop(member, None)
    for shape in NEWER[service]["shapes"]:
        raw["shapes"].pop(shape, None)
    for shape in NEWER[service]["retyped"]:
        raw["shapes"][shape] = {"type": "timestamp"}
    return raw


@pytest.mark.parametrize(("service", "shape", "member"), MEMBERS)
def test_an_older_model_gets_the_member_as_a_newer_one_says_it(service, shape, member):
    found = with_newer(aged(service), NEWER[service])["shapes"]
    said = Models()._read(service, "service-2")["shapes"]
    plain = without_words(said[shape]["members"][member])
    assert found[shape]["members"][member] == plain
    name = plain["shape"]
    assert without_words(found[name]) == without_words(said[name])


@pytest.mark.parametrize(
    ("service", "shape"), [(service, shape) for service, newer in NEWER.items() for shape in newer["retyped"]]
)
def test_a_shape_has_the_type_that_it_has_now(service, shape):
    said = Models()._read(service, "service-2")["shapes"][shape]
    assert with_newer(aged(service), NEWER[service])["shapes"][shape] == without_words(said)


def test_a_service_serves_an_older_model(tmp_path):
    """Its replies have members that the model lacks: that was an assertion, and CreateBucket failed."""
    folder = tmp_path / "s3" / "2006-03-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(aged("s3")))
    model = Models(tmp_path).service("s3")
    for service, shape, member in MEMBERS:
        assert service == "s3"
        assert member in model.shape(shape).members


def test_what_the_model_has_itself_stays():
    raw = {"shapes": {"A": {"members": {"b": {"shape": "Own"}}}, "Own": {"type": "string"}}}
    newer = {
        "members": {"A": {"b": {"shape": "New"}, "c": {"shape": "New"}}, "Gone": {"x": {"shape": "New"}}},
        "shapes": {"New": {"type": "integer"}, "Own": {"type": "blob"}},
        "retyped": {},
    }
    assert with_newer(raw, newer) == {
        "shapes": {
            "A": {"members": {"b": {"shape": "Own"}, "c": {"shape": "New"}}},
            "Own": {"type": "string"},
            "New": {"type": "integer"},
        }
    }
