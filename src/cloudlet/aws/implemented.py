"""Which services there are, found without importing any of them.

State   none
Source  the folders under cloudlet/services; botocore's "Service-specific endpoints" for the variables
Absent  none
"""

from __future__ import annotations

import importlib.util
import pkgutil
from collections.abc import Sequence

PACKAGE = "cloudlet.services"


def implemented() -> Sequence[str]:
    """The names of all services whose folder ships."""
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    return sorted(
        found.name.replace("_", "-") for found in pkgutil.iter_modules(spec.submodule_search_locations)
    )


def endpoint_variables() -> Sequence[str]:
    """The variables that would lead a client of ours elsewhere, whatever AWS_ENDPOINT_URL says."""
    return [f"AWS_ENDPOINT_URL_{name.upper().replace('-', '_')}" for name in implemented()]
