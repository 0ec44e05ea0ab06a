# Written by `python -m cloudlet.aws.stubs sts` from the model of API 2011-06-15. Do not edit.
from typing import TypedDict

import msgspec

class AssumeRoleRequest(msgspec.Struct):
    RoleArn: str
    RoleSessionName: str
    PolicyArns: list[PolicyDescriptorType] | None
    Policy: str | None
    DurationSeconds: int | None
    Tags: list[Tag] | None
    TransitiveTagKeys: list[str] | None
    ExternalId: str | None
    SerialNumber: str | None
    TokenCode: str | None
    SourceIdentity: str | None
    ProvidedContexts: list[ProvidedContext] | None
    MinimumSessionTokenSize: int | None

class AssumeRoleWithSAMLRequest(msgspec.Struct):
    RoleArn: str
    PrincipalArn: str
    SAMLAssertion: str
    PolicyArns: list[PolicyDescriptorType] | None
    Policy: str | None
    DurationSeconds: int | None
    MinimumSessionTokenSize: int | None

class AssumeRoleWithWebIdentityRequest(msgspec.Struct):
    RoleArn: str
    RoleSessionName: str
    WebIdentityToken: str
    ProviderId: str | None
    PolicyArns: list[PolicyDescriptorType] | None
    Policy: str | None
    DurationSeconds: int | None
    MinimumSessionTokenSize: int | None

class AssumeRootRequest(msgspec.Struct):
    TargetPrincipal: str
    TaskPolicyArn: PolicyDescriptorType
    DurationSeconds: int | None
    MinimumSessionTokenSize: int | None

class DecodeAuthorizationMessageRequest(msgspec.Struct):
    EncodedMessage: str

class GetAccessKeyInfoRequest(msgspec.Struct):
    AccessKeyId: str

class GetCallerIdentityRequest(msgspec.Struct):
    ...

class GetDelegatedAccessTokenRequest(msgspec.Struct):
    TradeInToken: str

class GetFederationTokenRequest(msgspec.Struct):
    Name: str
    Policy: str | None
    PolicyArns: list[PolicyDescriptorType] | None
    DurationSeconds: int | None
    Tags: list[Tag] | None
    MinimumSessionTokenSize: int | None

class GetSessionTokenRequest(msgspec.Struct):
    DurationSeconds: int | None
    SerialNumber: str | None
    TokenCode: str | None
    MinimumSessionTokenSize: int | None

class GetWebIdentityTokenRequest(msgspec.Struct):
    Audience: list[str]
    DurationSeconds: int | None
    SigningAlgorithm: str
    Tags: list[Tag] | None

class PolicyDescriptorType(msgspec.Struct):
    arn: str | None

class ProvidedContext(msgspec.Struct):
    ProviderArn: str | None
    ContextAssertion: str | None

class Tag(msgspec.Struct):
    Key: str
    Value: str

class AssumeRoleResponse(TypedDict, total=False):
    Credentials: Credentials
    AssumedRoleUser: AssumedRoleUser
    PackedPolicySize: int
    SourceIdentity: str
    SessionTokenUtilization: int
    SessionTokenSize: int

class AssumeRoleWithSAMLResponse(TypedDict, total=False):
    Credentials: Credentials
    AssumedRoleUser: AssumedRoleUser
    PackedPolicySize: int
    Subject: str
    SubjectType: str
    Issuer: str
    Audience: str
    NameQualifier: str
    SourceIdentity: str
    SessionTokenUtilization: int
    SessionTokenSize: int

class AssumeRoleWithWebIdentityResponse(TypedDict, total=False):
    Credentials: Credentials
    SubjectFromWebIdentityToken: str
    AssumedRoleUser: AssumedRoleUser
    PackedPolicySize: int
    Provider: str
    Audience: str
    SourceIdentity: str
    SessionTokenUtilization: int
    SessionTokenSize: int

class AssumeRootResponse(TypedDict, total=False):
    Credentials: Credentials
    SourceIdentity: str
    SessionTokenUtilization: int
    SessionTokenSize: int

class AssumedRoleUser(TypedDict, total=False):
    AssumedRoleId: str
    Arn: str

class Credentials(TypedDict, total=False):
    AccessKeyId: str
    SecretAccessKey: str
    SessionToken: str
    Expiration: float

class DecodeAuthorizationMessageResponse(TypedDict, total=False):
    DecodedMessage: str

class FederatedUser(TypedDict, total=False):
    FederatedUserId: str
    Arn: str

class GetAccessKeyInfoResponse(TypedDict, total=False):
    Account: str

class GetCallerIdentityResponse(TypedDict, total=False):
    UserId: str
    Account: str
    Arn: str

class GetDelegatedAccessTokenResponse(TypedDict, total=False):
    Credentials: Credentials
    PackedPolicySize: int
    AssumedPrincipal: str

class GetFederationTokenResponse(TypedDict, total=False):
    Credentials: Credentials
    FederatedUser: FederatedUser
    PackedPolicySize: int
    SessionTokenUtilization: int
    SessionTokenSize: int

class GetSessionTokenResponse(TypedDict, total=False):
    Credentials: Credentials
    SessionTokenUtilization: int
    SessionTokenSize: int

class GetWebIdentityTokenResponse(TypedDict, total=False):
    WebIdentityToken: str
    Expiration: float
