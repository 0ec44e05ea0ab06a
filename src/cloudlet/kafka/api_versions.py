"""ApiVersions and UpdateFeatures: what this broker speaks, and which features are on.

State   none: the features' levels are fixed
Source  Apache Kafka 4.3: ApiVersionsResponse, FeatureControlManager; KIP-35, KIP-511, KIP-584, KIP-1022
Absent  changes of a feature's level: an update to another level than the one in force is refused
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from cloudlet.kafka.call import Call, Handler
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.apis import apis
from cloudlet.wire.kafka.error_codes import ErrorCode

API_VERSIONS = 18
SOFTWARE_SINCE = 3
SOFTWARE_NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")  # KIP-511


class Feature(NamedTuple):
    """The levels of a feature that can be, and the one that is in force; an API that it stands on."""

    least: int
    most: int
    level: int
    needs: int | None = None


# metadata.version 4.3-IV0 is level 30: what Kafka 4.3 formats a cluster with.
FEATURES: Mapping[str, Feature] = {
    "eligible.leader.replicas.version": Feature(0, 1, 1),
    "group.version": Feature(0, 1, 1, 68),
    "kraft.version": Feature(0, 1, 0),
    "metadata.version": Feature(7, 30, 30),
    "share.version": Feature(0, 1, 1, 76),
    "transaction.version": Feature(0, 2, 2, 26),
}


def api_versions(call: Call, request: messages.ApiVersionsRequest) -> messages.ApiVersionsResponse:
    """Every API that is served, with its versions."""
    if call.api_version >= SOFTWARE_SINCE:
        names = (request.ClientSoftwareName, request.ClientSoftwareVersion)
        if not all(SOFTWARE_NAME.fullmatch(name) for name in names):
            return messages.ApiVersionsResponse(ErrorCode=ErrorCode.INVALID_REQUEST)
        call.peer.software_name, call.peer.software_version = names
    served = call.broker.served
    cls = messages.ApiVersionsResponse
    features = {name: one for name, one in FEATURES.items() if one.needs is None or one.needs in served}
    return cls(
        ApiKeys=_rows(served),
        SupportedFeatures=[
            cls.SupportedFeatureKey(Name=name, MinVersion=one.least, MaxVersion=one.most)
            for name, one in features.items()
        ],
        FinalizedFeaturesEpoch=1,
        FinalizedFeatures=[
            cls.FinalizedFeatureKey(Name=name, MaxVersionLevel=one.level, MinVersionLevel=one.level)
            for name, one in features.items()
            if one.level
        ],
    )


def _rows(served: frozenset[int]) -> list[messages.ApiVersionsResponse.ApiVersion]:
    return [
        messages.ApiVersionsResponse.ApiVersion(
            ApiKey=key, MinVersion=api.advertised_min, MaxVersion=api.versions.last
        )
        for key, api in apis().items()
        if key in served
    ]


def unsupported_version(served: frozenset[int]) -> messages.ApiVersionsResponse:
    """What a client is told whose version of ApiVersions is not known: in version 0, which it can read, with
    the versions of ApiVersions that it may try (KIP-511)."""
    rows = [row for row in _rows(served) if row.ApiKey == API_VERSIONS]
    return messages.ApiVersionsResponse(ErrorCode=ErrorCode.UNSUPPORTED_VERSION, ApiKeys=rows)


def update_features(call: Call, request: messages.UpdateFeaturesRequest) -> messages.UpdateFeaturesResponse:
    """Answer for each feature; only levels that are in force already are accepted."""
    cls = messages.UpdateFeaturesResponse
    results: list[messages.UpdateFeaturesResponse.UpdatableFeatureResult] = []
    for update in request.FeatureUpdates:
        feature = FEATURES.get(update.Feature)
        code, message = 0, None
        if feature is None:
            code = ErrorCode.INVALID_UPDATE_VERSION
            message = (
                f"Invalid update version {update.MaxVersionLevel} for feature {update.Feature}. "
                "Local controller 1 does not support this feature."
            )
        elif update.MaxVersionLevel != feature.level:
            code = ErrorCode.INVALID_UPDATE_VERSION
            message = (
                f"Invalid update version {update.MaxVersionLevel} for feature {update.Feature}. "
                f"Its level stays at {feature.level} here."
            )
        results.append(
            cls.UpdatableFeatureResult(Feature=update.Feature, ErrorCode=code, ErrorMessage=message)
        )
    failed = next((row for row in results if row.ErrorCode), None)
    if failed is not None and call.api_version > 1:
        return cls(
            ErrorCode=failed.ErrorCode,
            ErrorMessage=f"The update failed for all features since the following feature had an error: "
            f"{failed.ErrorMessage}",
        )
    return cls(Results=results if call.api_version < 2 else [])


HANDLERS: dict[int, Handler] = {API_VERSIONS: api_versions, 57: update_features}
