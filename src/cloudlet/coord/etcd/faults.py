"""What etcd refuses, with its codes and texts: clients recognise an error by its text.

State   none
Source  etcd 3.6, api/v3rpc/rpctypes
Absent  the errors of a cluster of several members (elections, learners)
"""

from __future__ import annotations

from cloudlet.kernel.fault import (
    Compacted,
    FutureRevision,
    LeaseExists,
    NoSpace,
    NoSuchLease,
    StoreError,
)
from cloudlet.wire.grpc import Code, GrpcStatus

TEXTS: dict[str, tuple[Code, str]] = {
    "EmptyKey": (Code.INVALID_ARGUMENT, "key is not provided"),
    "KeyNotFound": (Code.INVALID_ARGUMENT, "key not found"),
    "ValueProvided": (Code.INVALID_ARGUMENT, "value is provided"),
    "LeaseProvided": (Code.INVALID_ARGUMENT, "lease is provided"),
    "TooManyOps": (Code.INVALID_ARGUMENT, "too many operations in txn request"),
    "DuplicateKey": (Code.INVALID_ARGUMENT, "duplicate key given in txn request"),
    "InvalidSortOption": (Code.INVALID_ARGUMENT, "invalid sort option"),
    "RequestTooLarge": (Code.INVALID_ARGUMENT, "request is too large"),
    "Compacted": (Code.OUT_OF_RANGE, "mvcc: required revision has been compacted"),
    "FutureRev": (Code.OUT_OF_RANGE, "mvcc: required revision is a future revision"),
    "NoSpace": (Code.RESOURCE_EXHAUSTED, "mvcc: database space exceeded"),
    "Corrupt": (Code.DATA_LOSS, "corrupt cluster"),
    "LeaseNotFound": (Code.NOT_FOUND, "requested lease not found"),
    "LeaseExist": (Code.FAILED_PRECONDITION, "lease already exists"),
    "LeaseTTLTooLarge": (Code.OUT_OF_RANGE, "too large lease TTL"),
    "TooManyRequests": (Code.RESOURCE_EXHAUSTED, "too many requests"),
    "WatchCanceled": (Code.CANCELLED, "watch canceled"),
    "MemberNotFound": (Code.NOT_FOUND, "member not found"),
    "MemberNotLearner": (Code.FAILED_PRECONDITION, "can only promote a learner member"),
    "MemberBadURLs": (Code.INVALID_ARGUMENT, "given member URLs are invalid"),
    "MemberNotEnoughStarted": (
        Code.FAILED_PRECONDITION,
        "re-configuration failed due to not enough started members",
    ),
    "RootUserNotExist": (Code.FAILED_PRECONDITION, "root user does not exist"),
    "RootRoleNotExist": (Code.FAILED_PRECONDITION, "root user does not have root role"),
    "UserAlreadyExist": (Code.FAILED_PRECONDITION, "user name already exists"),
    "UserEmpty": (Code.INVALID_ARGUMENT, "user name is empty"),
    "UserNotFound": (Code.FAILED_PRECONDITION, "user name not found"),
    "RoleAlreadyExist": (Code.FAILED_PRECONDITION, "role name already exists"),
    "RoleNotFound": (Code.FAILED_PRECONDITION, "role name not found"),
    "RoleEmpty": (Code.INVALID_ARGUMENT, "role name is empty"),
    "AuthFailed": (Code.INVALID_ARGUMENT, "authentication failed, invalid user ID or password"),
    "PermissionNotGiven": (Code.INVALID_ARGUMENT, "permission not given"),
    "PermissionDenied": (Code.PERMISSION_DENIED, "permission denied"),
    "RoleNotGranted": (Code.FAILED_PRECONDITION, "role is not granted to the user"),
    "PermissionNotGranted": (Code.FAILED_PRECONDITION, "permission is not granted to the role"),
    "AuthNotEnabled": (Code.FAILED_PRECONDITION, "authentication is not enabled"),
    "InvalidAuthToken": (Code.UNAUTHENTICATED, "invalid auth token"),
    "InvalidAuthMgmt": (Code.INVALID_ARGUMENT, "invalid auth management"),
    "AuthOldRevision": (Code.INVALID_ARGUMENT, "revision of auth store is old"),
    "NotLeader": (Code.FAILED_PRECONDITION, "not leader"),
    "BadLeaderTransferee": (Code.FAILED_PRECONDITION, "bad leader transferee"),
    "Stopped": (Code.UNAVAILABLE, "server stopped"),
    "WrongDowngradeVersionFormat": (Code.INVALID_ARGUMENT, "wrong downgrade target version format"),
    "InvalidDowngradeTargetVersion": (Code.INVALID_ARGUMENT, "invalid downgrade target version"),
}
PREFIX = "etcdserver: "


def refused(name: str) -> GrpcStatus:
    """One of etcd's errors by its name in rpctypes, without "ErrGRPC"."""
    code, text = TEXTS[name]
    return GrpcStatus(code, PREFIX + text)


def of_store(error: StoreError) -> GrpcStatus:
    """What etcd says where the store refuses."""
    for kind, name in (
        (Compacted, "Compacted"),
        (FutureRevision, "FutureRev"),
        (NoSuchLease, "LeaseNotFound"),
        (LeaseExists, "LeaseExist"),
        (NoSpace, "NoSpace"),
    ):
        if isinstance(error, kind):
            return refused(name)
    return refused("Stopped")
