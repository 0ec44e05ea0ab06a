from typing import Any
GetCallerIdentityRequest = Any
GetCallerIdentityResponse = Any
GetAccessKeyInfoRequest = Any
GetAccessKeyInfoResponse = Any
GetSessionTokenRequest = Any
GetSessionTokenResponse = Any
