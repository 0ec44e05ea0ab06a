"""Every API in every version that ApiVersions claims: it is decoded, answered, and encoded without a rest."""

import pytest
from tests.kafka.raw_client import RawClient

from cloudlet.kafka.dispatch import handlers
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.apis import apis
from cloudlet.wire.kafka.error_codes import ErrorCode

NO_ANSWER = {0: {"Acks": 1}}  # what a request needs so that it is answered
SERVED = sorted(handlers())


@pytest.mark.parametrize("key", SERVED, ids=lambda key: apis()[key].name)
def test_every_version_is_answered(kafka, key):
    api = apis()[key]
    for version in range(api.versions.first, api.versions.last + 1):
        with RawClient(kafka.address) as client:
            request = api.request(**NO_ANSWER.get(key, {}))
            if key == 18:
                request.ClientSoftwareName = request.ClientSoftwareVersion = "raw"
            response = client.ask(request, version)
            assert type(response) is api.response


@pytest.mark.parametrize("version", range(5))
def test_api_versions_claims_what_is_served_and_nothing_else(kafka, version):
    with RawClient(kafka.address) as client:
        request = messages.ApiVersionsRequest(ClientSoftwareName="raw", ClientSoftwareVersion="1.0")
        response = client.ask(request, version)
    assert response.ErrorCode == 0
    said = {row.ApiKey: (row.MinVersion, row.MaxVersion) for row in response.ApiKeys}
    assert sorted(said) == SERVED
    assert said.pop(0) == (0, 13)  # librdkafka compresses only where it begins at 0
    for key, versions in said.items():
        assert versions == tuple(apis()[key].versions)


def test_a_version_of_api_versions_that_is_not_known_is_answered_in_version_0(kafka):
    with RawClient(kafka.address) as client:
        frame = bytes.fromhex("00120063") + b"\0\0\0\x07" + b"\0\x03raw" + b"\0\x04\x04"
        client.socket.sendall(len(frame).to_bytes(4, "big") + frame)
        correlation_id, response = client.receive(apis()[18], 0)
        assert correlation_id == 7
        assert response.ErrorCode == ErrorCode.UNSUPPORTED_VERSION
        assert [(row.ApiKey, row.MinVersion, row.MaxVersion) for row in response.ApiKeys] == [(18, 0, 4)]
        # The connection goes on: the client tries a version that it was told.
        assert client.ask(messages.ApiVersionsRequest(), 0).ErrorCode == 0


def test_a_software_name_that_is_none_is_refused(kafka):
    with RawClient(kafka.address) as client:
        request = messages.ApiVersionsRequest(ClientSoftwareName="-x", ClientSoftwareVersion="1")
        assert client.ask(request, 3).ErrorCode == ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(("key", "version"), [(3, 99), (0, 0), (1, 3), (4, 0), (999, 0)])
def test_what_is_not_served_closes_the_connection(kafka, key, version):
    with RawClient(kafka.address) as client:
        frame = key.to_bytes(2, "big") + version.to_bytes(2, "big") + b"\0\0\0\x01\0\x01x"
        client.socket.sendall(len(frame).to_bytes(4, "big") + frame)
        assert client.is_closed()


def test_features_are_told(kafka):
    with RawClient(kafka.address) as client:
        request = messages.ApiVersionsRequest(ClientSoftwareName="raw", ClientSoftwareVersion="1")
        response = client.ask(request, 4)
    finalized = {row.Name: row.MaxVersionLevel for row in response.FinalizedFeatures}
    supported = {row.Name: (row.MinVersion, row.MaxVersion) for row in response.SupportedFeatures}
    assert finalized["metadata.version"] == 30
    assert supported["metadata.version"] == (7, 30)
    for name, level in finalized.items():
        assert supported[name][0] <= level <= supported[name][1]
