"""STS: who a key belongs to, and keys that end by themselves.

State   ("iam-keys", access key id) -> AccessKey, written here for temporary keys
Source  STS API 2011-06-15; docs/sources/sts.md
Absent  AssumeRole, AssumeRoleWithSAML, AssumeRoleWithWebIdentity, AssumeRoot, GetFederationToken,
        DecodeAuthorizationMessage and GetDelegatedAccessToken come with IAM's roles and policies;
        multi-factor devices (SerialNumber, TokenCode)
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from cloudlet.aws.identity import AccessKey, account_of_key, key_of
from cloudlet.aws.service import Service
from cloudlet.kernel.fault import Fault

if TYPE_CHECKING:
    from cloudlet.aws.request import Request
    from cloudlet.services.sts import shapes

SERVICE = sts = Service(
    "sts", validation=Fault("ValidationError"), throttling=Fault("Throttling", "Rate exceeded")
)

AccessDenied = sts.fault("AccessDenied", status=403)
ValidationError = sts.fault("ValidationError")

SESSION_SECONDS_DEFAULT = 43_200  # "The default is 43,200 seconds (12 hours)"
SESSION_SECONDS_ROOT_MAX = (
    3_600  # "for AWS account owners … restricted to a maximum of 3,600 seconds (one hour)"
)
TOKEN_BYTES = 96


@sts.op()
def get_caller_identity(rq: Request, p: shapes.GetCallerIdentityRequest) -> shapes.GetCallerIdentityResponse:
    """Who is calling; needs no permission."""
    caller = rq.call.caller
    return {"UserId": caller.user_id, "Account": caller.account, "Arn": caller.arn}


@sts.op()
def get_access_key_info(rq: Request, p: shapes.GetAccessKeyInfoRequest) -> shapes.GetAccessKeyInfoResponse:
    """The account that a key belongs to, whether or not the key still works."""
    known = rq.peek(key_of(p.AccessKeyId), AccessKey)
    return {"Account": known.account if known else account_of_key(p.AccessKeyId) or rq.account}


@sts.op()
def get_session_token(rq: Request, p: shapes.GetSessionTokenRequest) -> shapes.GetSessionTokenResponse:
    """A temporary key with the rights of the caller, who must not be using a temporary key."""
    caller = rq.call.caller
    if caller.is_temporary:
        raise AccessDenied("Cannot call GetSessionToken with session credentials")
    seconds = p.DurationSeconds or SESSION_SECONDS_DEFAULT
    if caller.root:
        seconds = min(seconds, SESSION_SECONDS_ROOT_MAX)
    made = AccessKey(
        secret=base64.b64encode(rq.token(30)).decode(),
        account=caller.account,
        arn=caller.arn,
        user_id=caller.user_id,
        principal_type=caller.principal_type,
        session_token=base64.b64encode(rq.token(TOKEN_BYTES)).decode(),
        expires_ms=rq.wall_ms + seconds * 1000,
    )
    access_key_id = "ASIA" + base64.b32encode(rq.token(10)).decode()
    rq.commit(put={key_of(access_key_id): made})
    return {
        "Credentials": {
            "AccessKeyId": access_key_id,
            "SecretAccessKey": made.secret,
            "SessionToken": made.session_token,
            "Expiration": made.expires_ms / 1000,
        }
    }
