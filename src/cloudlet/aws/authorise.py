"""Authorisation: every call that a signed principal makes is judged here, resource by resource.

State   none
Source  IAM User Guide, "Policy evaluation logic"; STS GetCallerIdentity ("No permissions are required")
Absent  policies: until the policy engine is here, the root of an account may do everything, others nothing
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from cloudlet.aws.identity import Caller
from cloudlet.aws.service import Access, Operation
from cloudlet.kernel.fault import Fault

if TYPE_CHECKING:
    from cloudlet.aws.request import Request

AccessDenied = Fault("AccessDenied", status=403)

FREE_ACTIONS = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})
"""What AWS allows to every principal with credentials, whatever its policies say."""


class Authoriser(Protocol):
    """Judges one call."""

    def judge(self, caller: Caller, accesses: Sequence[Access]) -> None:
        """Raise AccessDenied unless every access is allowed."""


class RootOnly:
    """The rule without policies: root may act, and nobody has been allowed anything else (an implicit
    deny)."""

    def judge(self, caller: Caller, accesses: Sequence[Access]) -> None:
        if caller.root:
            return
        for access in accesses:
            if access.action not in FREE_ACTIONS:
                raise AccessDenied(
                    f"User: {caller.arn} is not authorized to perform: {access.action} on resource: "
                    f"{access.resource} because no identity-based policy allows the {access.action} action"
                )


def accesses(operation: Operation, action: str, request: Request, params: msgspec.Struct) -> Sequence[Access]:
    """What the call wants to do to which resources, as its operation declares it."""
    declared = operation.resource
    if declared is None:
        return (Access(action, "*", {}),)
    if isinstance(declared, str):
        members = {name: getattr(params, name) for name in params.__struct_fields__}
        arn = declared.format(region=request.region, account=request.account, **members)
        return (Access(action, arn, {}),)
    return declared(request, params)
