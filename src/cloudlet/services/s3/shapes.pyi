# Written by `python -m cloudlet.aws.stubs s3` from the model of API 2006-03-01. Do not edit.
from typing import TypedDict

import msgspec

class AbacStatus(msgspec.Struct):
    Status: str | None

class AbortIncompleteMultipartUpload(msgspec.Struct):
    DaysAfterInitiation: int | None

class AbortMultipartUploadRequest(msgspec.Struct):
    Bucket: str
    Key: str
    UploadId: str
    RequestPayer: str | None
    ExpectedBucketOwner: str | None
    IfMatchInitiatedTime: float | None

class AccelerateConfiguration(msgspec.Struct):
    Status: str | None

class AccessControlPolicy(msgspec.Struct):
    Grants: list[Grant] | None
    Owner: Owner | None

class AccessControlTranslation(msgspec.Struct):
    Owner: str

class AnalyticsAndOperator(msgspec.Struct):
    Prefix: str | None
    Tags: list[Tag] | None

class AnalyticsConfiguration(msgspec.Struct):
    Id: str
    Filter: AnalyticsFilter | None
    StorageClassAnalysis: StorageClassAnalysis

class AnalyticsExportDestination(msgspec.Struct):
    S3BucketDestination: AnalyticsS3BucketDestination

class AnalyticsFilter(msgspec.Struct):
    Prefix: str | None
    Tag: Tag | None
    And: AnalyticsAndOperator | None

class AnalyticsS3BucketDestination(msgspec.Struct):
    Format: str
    BucketAccountId: str | None
    Bucket: str
    Prefix: str | None

class AnnotationTableConfiguration(msgspec.Struct):
    ConfigurationState: str
    EncryptionConfiguration: MetadataTableEncryptionConfiguration | None
    Role: str | None

class AnnotationTableConfigurationUpdates(msgspec.Struct):
    ConfigurationState: str
    EncryptionConfiguration: MetadataTableEncryptionConfiguration | None
    Role: str | None

class BlockedEncryptionTypes(msgspec.Struct):
    EncryptionType: list[str] | None

class BucketInfo(msgspec.Struct):
    DataRedundancy: str | None
    Type: str | None

class BucketLifecycleConfiguration(msgspec.Struct):
    Rules: list[LifecycleRule]

class BucketLoggingStatus(msgspec.Struct):
    LoggingEnabled: LoggingEnabled | None

class CORSConfiguration(msgspec.Struct):
    CORSRules: list[CORSRule]

class CORSRule(msgspec.Struct):
    ID: str | None
    AllowedHeaders: list[str] | None
    AllowedMethods: list[str]
    AllowedOrigins: list[str]
    ExposeHeaders: list[str] | None
    MaxAgeSeconds: int | None

class CSVInput(msgspec.Struct):
    FileHeaderInfo: str | None
    Comments: str | None
    QuoteEscapeCharacter: str | None
    RecordDelimiter: str | None
    FieldDelimiter: str | None
    QuoteCharacter: str | None
    AllowQuotedRecordDelimiter: bool | None

class CSVOutput(msgspec.Struct):
    QuoteFields: str | None
    QuoteEscapeCharacter: str | None
    RecordDelimiter: str | None
    FieldDelimiter: str | None
    QuoteCharacter: str | None

class CloudFunctionConfiguration(msgspec.Struct):
    Id: str | None
    Event: str | None
    Events: list[str] | None
    CloudFunction: str | None
    InvocationRole: str | None

class CompleteMultipartUploadRequest(msgspec.Struct):
    Bucket: str
    Key: str
    MultipartUpload: CompletedMultipartUpload | None
    UploadId: str
    ChecksumCRC32: str | None
    ChecksumCRC32C: str | None
    ChecksumCRC64NVME: str | None
    ChecksumSHA1: str | None
    ChecksumSHA256: str | None
    ChecksumSHA512: str | None
    ChecksumMD5: str | None
    ChecksumXXHASH64: str | None
    ChecksumXXHASH3: str | None
    ChecksumXXHASH128: str | None
    ChecksumType: str | None
    MpuObjectSize: int | None
    RequestPayer: str | None
    ExpectedBucketOwner: str | None
    IfMatch: str | None
    IfNoneMatch: str | None
    SSECustomerAlgorithm: str | None
    SSECustomerKey: str | None
    SSECustomerKeyMD5: str | None

class CompletedMultipartUpload(msgspec.Struct):
    Parts: list[CompletedPart] | None

class CompletedPart(msgspec.Struct):
    ETag: str | None
    ChecksumCRC32: str | None
    ChecksumCRC32C: str | None
    ChecksumCRC64NVME: str | None
    ChecksumSHA1: str | None
    ChecksumSHA256: str | None
    ChecksumSHA512: str | None
    ChecksumMD5: str | None
    ChecksumXXHASH64: str | None
    ChecksumXXHASH3: str | None
    ChecksumXXHASH128: str | None
    PartNumber: int | None

class Condition(msgspec.Struct):
    HttpErrorCodeReturnedEquals: str | None
    KeyPrefixEquals: str | None

class CopyObjectRequest(msgspec.Struct):
    ACL: str | None
    Bucket: str
    CacheControl: str | None
    ChecksumAlgorithm: str | None
    ContentDisposition: str | None
    ContentEncoding: str | None
    ContentLanguage: str | None
    ContentType: str | None
    CopySource: str
    CopySourceIfMatch: str | None
    CopySourceIfModifiedSince: float | None
    CopySourceIfNoneMatch: str | None
    CopySourceIfUnmodifiedSince: float | None
    Expires: str | None
    GrantFullControl: str | None
    GrantRead: str | None
    GrantReadACP: str | None
    GrantWriteACP: str | None
    IfMatch: str | None
    IfNoneMatch: str | None
    Key: str
    Metadata: dict[str, str] | None
    MetadataDirective: str | None
    TaggingDirective: str | None
    AnnotationDirective: str | None
    ServerSideEncryption: str | None
    StorageClass: str | None
    WebsiteRedirectLocation: str | None
    SSECustomerAlgorithm: str | None
    SSECustomerKey: str | None
    SSECustomerKeyMD5: str | None
    SSEKMSKeyId: str | None
    SSEKMSEncryptionContext: str | None
    BucketKeyEnabled: bool | None
    CopySourceSSECustomerAlgorithm: str | None
    CopySourceSSECustomerKey: str | None
    CopySourceSSECustomerKeyMD5: str | None
    RequestPayer: str | None
    Tagging: str | None
    ObjectLockMode: str | None
    ObjectLockRetainUntilDate: float | None
    ObjectLockLegalHoldStatus: str | None
    ObjectLockEventHold: str | None
    ObjectLockEventHoldDurationDays: int | None
    ObjectLockEventHoldDurationYears: int | None
    ExpectedBucketOwner: str | None
    ExpectedSourceBucketOwner: str | None

class CreateBucketConfiguration(msgspec.Struct):
    LocationConstraint: str | None
    Location: LocationInfo | None
    Bucket: BucketInfo | None
    Tags: list[Tag] | None

class CreateBucketMetadataConfigurationRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    MetadataConfiguration: MetadataConfiguration
    ExpectedBucketOwner: str | None

class CreateBucketMetadataTableConfigurationRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    MetadataTableConfiguration: MetadataTableConfiguration
    ExpectedBucketOwner: str | None

class CreateBucketRequest(msgspec.Struct):
    ACL: str | None
    Bucket: str
    CreateBucketConfiguration: CreateBucketConfiguration | None
    GrantFullControl: str | None
    GrantRead: str | None
    GrantReadACP: str | None
    GrantWrite: str | None
    GrantWriteACP: str | None
    ObjectLockEnabledForBucket: bool | None
    ObjectOwnership: str | None
    BucketNamespace: str | None

class CreateMultipartUploadRequest(msgspec.Struct):
    ACL: str | None
    Bucket: str
    CacheControl: str | None
    ContentDisposition: str | None
    ContentEncoding: str | None
    ContentLanguage: str | None
    ContentType: str | None
    Expires: str | None
    GrantFullControl: str | None
    GrantRead: str | None
    GrantReadACP: str | None
    GrantWriteACP: str | None
    Key: str
    Metadata: dict[str, str] | None
    ServerSideEncryption: str | None
    StorageClass: str | None
    WebsiteRedirectLocation: str | None
    SSECustomerAlgorithm: str | None
    SSECustomerKey: str | None
    SSECustomerKeyMD5: str | None
    SSEKMSKeyId: str | None
    SSEKMSEncryptionContext: str | None
    BucketKeyEnabled: bool | None
    RequestPayer: str | None
    Tagging: str | None
    ObjectLockMode: str | None
    ObjectLockRetainUntilDate: float | None
    ObjectLockLegalHoldStatus: str | None
    ObjectLockEventHold: str | None
    ObjectLockEventHoldDurationDays: int | None
    ObjectLockEventHoldDurationYears: int | None
    ExpectedBucketOwner: str | None
    ChecksumAlgorithm: str | None
    ChecksumType: str | None

class CreateSessionRequest(msgspec.Struct):
    SessionMode: str | None
    Bucket: str
    ServerSideEncryption: str | None
    SSEKMSKeyId: str | None
    SSEKMSEncryptionContext: str | None
    BucketKeyEnabled: bool | None

class DefaultRetention(msgspec.Struct):
    Mode: str | None
    Days: int | None
    Years: int | None
    DefaultEventHold: EventHoldDuration | None

class Delete(msgspec.Struct):
    Objects: list[ObjectIdentifier]
    Quiet: bool | None

class DeleteBucketAnalyticsConfigurationRequest(msgspec.Struct):
    Bucket: str
    Id: str
    ExpectedBucketOwner: str | None

class DeleteBucketCorsRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class DeleteBucketEncryptionRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class DeleteBucketIntelligentTieringConfigurationRequest(msgspec.Struct):
    Bucket: str
    Id: str
    ExpectedBucketOwner: str | None

class DeleteBucketInventoryConfigurationRequest(msgspec.Struct):
    Bucket: str
    Id: str
    ExpectedBucketOwner: str | None

class DeleteBucketLifecycleRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class DeleteBucketMetadataConfigurationRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class DeleteBucketMetadataTableConfigurationRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class DeleteBucketMetricsConfigurationRequest(msgspec.Struct):
    Bucket: str
    Id: str
    ExpectedBucketOwner: str | None

class DeleteBucketOwnershipControlsRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class DeleteBucketPolicyRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class DeleteBucketReplicationRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class DeleteBucketRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class DeleteBucketTaggingRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class DeleteBucketWebsiteRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class DeleteMarkerReplication(msgspec.Struct):
    Status: str | None

class DeleteObjectAnnotationRequest(msgspec.Struct):
    Bucket: str
    Key: str
    AnnotationName: str
    VersionId: str | None
    RequestPayer: str | None
    ExpectedBucketOwner: str | None
    ObjectIfMatch: str | None

class DeleteObjectRequest(msgspec.Struct):
    Bucket: str
    Key: str
    MFA: str | None
    VersionId: str | None
    RequestPayer: str | None
    BypassGovernanceRetention: bool | None
    ExpectedBucketOwner: str | None
    IfMatch: str | None
    IfMatchLastModifiedTime: float | None
    IfMatchSize: int | None

class DeleteObjectTaggingRequest(msgspec.Struct):
    Bucket: str
    Key: str
    VersionId: str | None
    ExpectedBucketOwner: str | None

class DeleteObjectsRequest(msgspec.Struct):
    Bucket: str
    Delete: Delete
    MFA: str | None
    RequestPayer: str | None
    BypassGovernanceRetention: bool | None
    ExpectedBucketOwner: str | None
    ChecksumAlgorithm: str | None

class DeletePublicAccessBlockRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class Destination(msgspec.Struct):
    Bucket: str
    Account: str | None
    StorageClass: str | None
    AccessControlTranslation: AccessControlTranslation | None
    EncryptionConfiguration: EncryptionConfiguration | None
    ReplicationTime: ReplicationTime | None
    Metrics: Metrics | None

class Encryption(msgspec.Struct):
    EncryptionType: str
    KMSKeyId: str | None
    KMSContext: str | None

class EncryptionConfiguration(msgspec.Struct):
    ReplicaKmsKeyID: str | None

class ErrorDocument(msgspec.Struct):
    Key: str

class EventBridgeConfiguration(msgspec.Struct):
    ...

class EventHoldDuration(msgspec.Struct):
    Days: int | None
    Years: int | None

class ExistingObjectReplication(msgspec.Struct):
    Status: str

class FilterRule(msgspec.Struct):
    Name: str | None
    Value: str | None

class GetBucketAbacRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketAccelerateConfigurationRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None
    RequestPayer: str | None

class GetBucketAclRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketAnalyticsConfigurationRequest(msgspec.Struct):
    Bucket: str
    Id: str
    ExpectedBucketOwner: str | None

class GetBucketCorsRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketEncryptionRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketIntelligentTieringConfigurationRequest(msgspec.Struct):
    Bucket: str
    Id: str
    ExpectedBucketOwner: str | None

class GetBucketInventoryConfigurationRequest(msgspec.Struct):
    Bucket: str
    Id: str
    ExpectedBucketOwner: str | None

class GetBucketLifecycleConfigurationRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketLifecycleRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketLocationRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketLoggingRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketMetadataConfigurationRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketMetadataTableConfigurationRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketMetricsConfigurationRequest(msgspec.Struct):
    Bucket: str
    Id: str
    ExpectedBucketOwner: str | None

class GetBucketNotificationConfigurationRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketOwnershipControlsRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketPolicyRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketPolicyStatusRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketReplicationRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketRequestPaymentRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketTaggingRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketVersioningRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetBucketWebsiteRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetObjectAclRequest(msgspec.Struct):
    Bucket: str
    Key: str
    VersionId: str | None
    RequestPayer: str | None
    ExpectedBucketOwner: str | None

class GetObjectAnnotationRequest(msgspec.Struct):
    Bucket: str
    Key: str
    AnnotationName: str
    VersionId: str | None
    RequestPayer: str | None
    ExpectedBucketOwner: str | None
    ChecksumMode: str | None

class GetObjectAttributesRequest(msgspec.Struct):
    Bucket: str
    Key: str
    VersionId: str | None
    MaxParts: int | None
    PartNumberMarker: int | None
    SSECustomerAlgorithm: str | None
    SSECustomerKey: str | None
    SSECustomerKeyMD5: str | None
    RequestPayer: str | None
    ExpectedBucketOwner: str | None
    ObjectAttributes: list[str]

class GetObjectLegalHoldRequest(msgspec.Struct):
    Bucket: str
    Key: str
    VersionId: str | None
    RequestPayer: str | None
    ExpectedBucketOwner: str | None

class GetObjectLockConfigurationRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GetObjectRequest(msgspec.Struct):
    Bucket: str
    IfMatch: str | None
    IfModifiedSince: float | None
    IfNoneMatch: str | None
    IfUnmodifiedSince: float | None
    Key: str
    Range: str | None
    ResponseCacheControl: str | None
    ResponseContentDisposition: str | None
    ResponseContentEncoding: str | None
    ResponseContentLanguage: str | None
    ResponseContentType: str | None
    ResponseExpires: float | None
    VersionId: str | None
    SSECustomerAlgorithm: str | None
    SSECustomerKey: str | None
    SSECustomerKeyMD5: str | None
    RequestPayer: str | None
    PartNumber: int | None
    ExpectedBucketOwner: str | None
    ChecksumMode: str | None

class GetObjectRetentionRequest(msgspec.Struct):
    Bucket: str
    Key: str
    VersionId: str | None
    RequestPayer: str | None
    ExpectedBucketOwner: str | None

class GetObjectTaggingRequest(msgspec.Struct):
    Bucket: str
    Key: str
    VersionId: str | None
    ExpectedBucketOwner: str | None
    RequestPayer: str | None

class GetObjectTorrentRequest(msgspec.Struct):
    Bucket: str
    Key: str
    RequestPayer: str | None
    ExpectedBucketOwner: str | None

class GetPublicAccessBlockRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class GlacierJobParameters(msgspec.Struct):
    Tier: str

class Grant(msgspec.Struct):
    Grantee: Grantee | None
    Permission: str | None

class Grantee(msgspec.Struct):
    DisplayName: str | None
    EmailAddress: str | None
    ID: str | None
    Type: str
    URI: str | None

class HeadBucketRequest(msgspec.Struct):
    Bucket: str
    ExpectedBucketOwner: str | None

class HeadObjectRequest(msgspec.Struct):
    Bucket: str
    IfMatch: str | None
    IfModifiedSince: float | None
    IfNoneMatch: str | None
    IfUnmodifiedSince: float | None
    Key: str
    Range: str | None
    ResponseCacheControl: str | None
    ResponseContentDisposition: str | None
    ResponseContentEncoding: str | None
    ResponseContentLanguage: str | None
    ResponseContentType: str | None
    ResponseExpires: float | None
    VersionId: str | None
    SSECustomerAlgorithm: str | None
    SSECustomerKey: str | None
    SSECustomerKeyMD5: str | None
    RequestPayer: str | None
    PartNumber: int | None
    ExpectedBucketOwner: str | None
    ChecksumMode: str | None

class IndexDocument(msgspec.Struct):
    Suffix: str

class InputSerialization(msgspec.Struct):
    CSV: CSVInput | None
    CompressionType: str | None
    JSON: JSONInput | None
    Parquet: ParquetInput | None

class IntelligentTieringAndOperator(msgspec.Struct):
    Prefix: str | None
    Tags: list[Tag] | None

class IntelligentTieringConfiguration(msgspec.Struct):
    Id: str
    Filter: IntelligentTieringFilter | None
    Status: str
    Tierings: list[Tiering]

class IntelligentTieringFilter(msgspec.Struct):
    Prefix: str | None
    Tag: Tag | None
    And: IntelligentTieringAndOperator | None

class InventoryConfiguration(msgspec.Struct):
    Destination: InventoryDestination
    IsEnabled: bool
    Filter: InventoryFilter | None
    Id: str
    IncludedObjectVersions: str
    OptionalFields: list[str] | None
    Schedule: InventorySchedule

class InventoryDestination(msgspec.Struct):
    S3BucketDestination: InventoryS3BucketDestination

class InventoryEncryption(msgspec.Struct):
    SSES3: SSES3 | None
    SSEKMS: SSEKMS | None

class InventoryFilter(msgspec.Struct):
    Prefix: str

class InventoryS3BucketDestination(msgspec.Struct):
    AccountId: str | None
    Bucket: str
    Format: str
    Prefix: str | None
    Encryption: InventoryEncryption | None

class InventorySchedule(msgspec.Struct):
    Frequency: str

class InventoryTableConfiguration(msgspec.Struct):
    ConfigurationState: str
    EncryptionConfiguration: MetadataTableEncryptionConfiguration | None

class InventoryTableConfigurationUpdates(msgspec.Struct):
    ConfigurationState: str
    EncryptionConfiguration: MetadataTableEncryptionConfiguration | None

class JSONInput(msgspec.Struct):
    Type: str | None

class JSONOutput(msgspec.Struct):
    RecordDelimiter: str | None

class JournalTableConfiguration(msgspec.Struct):
    RecordExpiration: RecordExpiration
    EncryptionConfiguration: MetadataTableEncryptionConfiguration | None

class JournalTableConfigurationUpdates(msgspec.Struct):
    RecordExpiration: RecordExpiration

class LambdaFunctionConfiguration(msgspec.Struct):
    Id: str | None
    LambdaFunctionArn: str
    Events: list[str]
    Filter: NotificationConfigurationFilter | None

class LifecycleConfiguration(msgspec.Struct):
    Rules: list[Rule]

class LifecycleExpiration(msgspec.Struct):
    Date: float | None
    Days: int | None
    ExpiredObjectDeleteMarker: bool | None

class LifecycleRule(msgspec.Struct):
    Expiration: LifecycleExpiration | None
    ID: str | None
    Prefix: str | None
    Filter: LifecycleRuleFilter | None
    Status: str
    Transitions: list[Transition] | None
    NoncurrentVersionTransitions: list[NoncurrentVersionTransition] | None
    NoncurrentVersionExpiration: NoncurrentVersionExpiration | None
    AbortIncompleteMultipartUpload: AbortIncompleteMultipartUpload | None

class LifecycleRuleAndOperator(msgspec.Struct):
    Prefix: str | None
    Tags: list[Tag] | None
    ObjectSizeGreaterThan: int | None
    ObjectSizeLessThan: int | None

class LifecycleRuleFilter(msgspec.Struct):
    Prefix: str | None
    Tag: Tag | None
    ObjectSizeGreaterThan: int | None
    ObjectSizeLessThan: int | None
    And: LifecycleRuleAndOperator | None

class ListBucketAnalyticsConfigurationsRequest(msgspec.Struct):
    Bucket: str
    ContinuationToken: str | None
    ExpectedBucketOwner: str | None

class ListBucketIntelligentTieringConfigurationsRequest(msgspec.Struct):
    Bucket: str
    ContinuationToken: str | None
    ExpectedBucketOwner: str | None

class ListBucketInventoryConfigurationsRequest(msgspec.Struct):
    Bucket: str
    ContinuationToken: str | None
    ExpectedBucketOwner: str | None

class ListBucketMetricsConfigurationsRequest(msgspec.Struct):
    Bucket: str
    ContinuationToken: str | None
    ExpectedBucketOwner: str | None

class ListBucketsRequest(msgspec.Struct):
    MaxBuckets: int | None
    ContinuationToken: str | None
    Prefix: str | None
    BucketRegion: str | None

class ListDirectoryBucketsRequest(msgspec.Struct):
    ContinuationToken: str | None
    MaxDirectoryBuckets: int | None

class ListMultipartUploadsRequest(msgspec.Struct):
    Bucket: str
    Delimiter: str | None
    EncodingType: str | None
    KeyMarker: str | None
    MaxUploads: int | None
    Prefix: str | None
    UploadIdMarker: str | None
    ExpectedBucketOwner: str | None
    RequestPayer: str | None

class ListObjectAnnotationsRequest(msgspec.Struct):
    Bucket: str
    Key: str
    VersionId: str | None
    MaxAnnotationResults: int | None
    AnnotationPrefix: str | None
    ContinuationToken: str | None
    RequestPayer: str | None
    ExpectedBucketOwner: str | None

class ListObjectVersionsRequest(msgspec.Struct):
    Bucket: str
    Delimiter: str | None
    EncodingType: str | None
    KeyMarker: str | None
    MaxKeys: int | None
    Prefix: str | None
    VersionIdMarker: str | None
    ExpectedBucketOwner: str | None
    RequestPayer: str | None
    OptionalObjectAttributes: list[str] | None

class ListObjectsRequest(msgspec.Struct):
    Bucket: str
    Delimiter: str | None
    EncodingType: str | None
    Marker: str | None
    MaxKeys: int | None
    Prefix: str | None
    RequestPayer: str | None
    ExpectedBucketOwner: str | None
    OptionalObjectAttributes: list[str] | None

class ListObjectsV2Request(msgspec.Struct):
    Bucket: str
    Delimiter: str | None
    EncodingType: str | None
    MaxKeys: int | None
    Prefix: str | None
    ContinuationToken: str | None
    FetchOwner: bool | None
    StartAfter: str | None
    RequestPayer: str | None
    ExpectedBucketOwner: str | None
    OptionalObjectAttributes: list[str] | None

class ListPartsRequest(msgspec.Struct):
    Bucket: str
    Key: str
    MaxParts: int | None
    PartNumberMarker: int | None
    UploadId: str
    RequestPayer: str | None
    ExpectedBucketOwner: str | None
    SSECustomerAlgorithm: str | None
    SSECustomerKey: str | None
    SSECustomerKeyMD5: str | None

class LocationInfo(msgspec.Struct):
    Type: str | None
    Name: str | None

class LoggingEnabled(msgspec.Struct):
    TargetBucket: str
    TargetGrants: list[TargetGrant] | None
    TargetPrefix: str
    TargetObjectKeyFormat: TargetObjectKeyFormat | None

class MetadataConfiguration(msgspec.Struct):
    JournalTableConfiguration: JournalTableConfiguration
    InventoryTableConfiguration: InventoryTableConfiguration | None
    AnnotationTableConfiguration: AnnotationTableConfiguration | None

class MetadataEntry(msgspec.Struct):
    Name: str | None
    Value: str | None

class MetadataTableConfiguration(msgspec.Struct):
    S3TablesDestination: S3TablesDestination

class MetadataTableEncryptionConfiguration(msgspec.Struct):
    SseAlgorithm: str
    KmsKeyArn: str | None

class Metrics(msgspec.Struct):
    Status: str
    EventThreshold: ReplicationTimeValue | None

class MetricsAndOperator(msgspec.Struct):
    Prefix: str | None
    Tags: list[Tag] | None
    AccessPointArn: str | None

class MetricsConfiguration(msgspec.Struct):
    Id: str
    Filter: MetricsFilter | None

class MetricsFilter(msgspec.Struct):
    Prefix: str | None
    Tag: Tag | None
    AccessPointArn: str | None
    And: MetricsAndOperator | None

class NoncurrentVersionExpiration(msgspec.Struct):
    NoncurrentDays: int | None
    NewerNoncurrentVersions: int | None

class NoncurrentVersionTransition(msgspec.Struct):
    NoncurrentDays: int | None
    StorageClass: str | None
    NewerNoncurrentVersions: int | None

class NotificationConfiguration(msgspec.Struct):
    TopicConfigurations: list[TopicConfiguration] | None
    QueueConfigurations: list[QueueConfiguration] | None
    LambdaFunctionConfigurations: list[LambdaFunctionConfiguration] | None
    EventBridgeConfiguration: EventBridgeConfiguration | None

class NotificationConfigurationDeprecated(msgspec.Struct):
    TopicConfiguration: TopicConfigurationDeprecated | None
    QueueConfiguration: QueueConfigurationDeprecated | None
    CloudFunctionConfiguration: CloudFunctionConfiguration | None

class NotificationConfigurationFilter(msgspec.Struct):
    Key: S3KeyFilter | None

class ObjectEncryption(msgspec.Struct):
    SSEKMS: SSEKMSEncryption | None

class ObjectIdentifier(msgspec.Struct):
    Key: str
    VersionId: str | None
    ETag: str | None
    LastModifiedTime: float | None
    Size: int | None

class ObjectLockConfiguration(msgspec.Struct):
    ObjectLockEnabled: str | None
    Rule: ObjectLockRule | None

class ObjectLockLegalHold(msgspec.Struct):
    Status: str | None

class ObjectLockRetention(msgspec.Struct):
    Mode: str | None
    RetainUntilDate: float | None
    EventHold: str | None
    EventHoldDuration: EventHoldDuration | None

class ObjectLockRule(msgspec.Struct):
    DefaultRetention: DefaultRetention | None

class OutputLocation(msgspec.Struct):
    S3: S3Location | None

class OutputSerialization(msgspec.Struct):
    CSV: CSVOutput | None
    JSON: JSONOutput | None

class Owner(msgspec.Struct):
    DisplayName: str | None
    ID: str | None

class OwnershipControls(msgspec.Struct):
    Rules: list[OwnershipControlsRule]

class OwnershipControlsRule(msgspec.Struct):
    ObjectOwnership: str

class ParquetInput(msgspec.Struct):
    ...

class PartitionedPrefix(msgspec.Struct):
    PartitionDateSource: str | None

class PublicAccessBlockConfiguration(msgspec.Struct):
    BlockPublicAcls: bool | None
    IgnorePublicAcls: bool | None
    BlockPublicPolicy: bool | None
    RestrictPublicBuckets: bool | None

class PutBucketAbacRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    ExpectedBucketOwner: str | None
    AbacStatus: AbacStatus

class PutBucketAccelerateConfigurationRequest(msgspec.Struct):
    Bucket: str
    AccelerateConfiguration: AccelerateConfiguration
    ExpectedBucketOwner: str | None
    ChecksumAlgorithm: str | None

class PutBucketAclRequest(msgspec.Struct):
    ACL: str | None
    AccessControlPolicy: AccessControlPolicy | None
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    GrantFullControl: str | None
    GrantRead: str | None
    GrantReadACP: str | None
    GrantWrite: str | None
    GrantWriteACP: str | None
    ExpectedBucketOwner: str | None

class PutBucketAnalyticsConfigurationRequest(msgspec.Struct):
    Bucket: str
    Id: str
    AnalyticsConfiguration: AnalyticsConfiguration
    ExpectedBucketOwner: str | None

class PutBucketCorsRequest(msgspec.Struct):
    Bucket: str
    CORSConfiguration: CORSConfiguration
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    ExpectedBucketOwner: str | None

class PutBucketEncryptionRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    ServerSideEncryptionConfiguration: ServerSideEncryptionConfiguration
    ExpectedBucketOwner: str | None

class PutBucketIntelligentTieringConfigurationRequest(msgspec.Struct):
    Bucket: str
    Id: str
    ExpectedBucketOwner: str | None
    IntelligentTieringConfiguration: IntelligentTieringConfiguration

class PutBucketInventoryConfigurationRequest(msgspec.Struct):
    Bucket: str
    Id: str
    InventoryConfiguration: InventoryConfiguration
    ExpectedBucketOwner: str | None

class PutBucketLifecycleConfigurationRequest(msgspec.Struct):
    Bucket: str
    ChecksumAlgorithm: str | None
    LifecycleConfiguration: BucketLifecycleConfiguration | None
    ExpectedBucketOwner: str | None
    TransitionDefaultMinimumObjectSize: str | None

class PutBucketLifecycleRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    LifecycleConfiguration: LifecycleConfiguration | None
    ExpectedBucketOwner: str | None

class PutBucketLoggingRequest(msgspec.Struct):
    Bucket: str
    BucketLoggingStatus: BucketLoggingStatus
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    ExpectedBucketOwner: str | None

class PutBucketMetricsConfigurationRequest(msgspec.Struct):
    Bucket: str
    Id: str
    MetricsConfiguration: MetricsConfiguration
    ExpectedBucketOwner: str | None

class PutBucketNotificationConfigurationRequest(msgspec.Struct):
    Bucket: str
    NotificationConfiguration: NotificationConfiguration
    ExpectedBucketOwner: str | None
    SkipDestinationValidation: bool | None

class PutBucketNotificationRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    NotificationConfiguration: NotificationConfigurationDeprecated
    ExpectedBucketOwner: str | None

class PutBucketOwnershipControlsRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ExpectedBucketOwner: str | None
    OwnershipControls: OwnershipControls
    ChecksumAlgorithm: str | None

class PutBucketPolicyRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    ConfirmRemoveSelfBucketAccess: bool | None
    Policy: str
    ExpectedBucketOwner: str | None

class PutBucketReplicationRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    ReplicationConfiguration: ReplicationConfiguration
    Token: str | None
    ExpectedBucketOwner: str | None

class PutBucketRequestPaymentRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    RequestPaymentConfiguration: RequestPaymentConfiguration
    ExpectedBucketOwner: str | None

class PutBucketTaggingRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    Tagging: Tagging
    ExpectedBucketOwner: str | None

class PutBucketVersioningRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    MFA: str | None
    VersioningConfiguration: VersioningConfiguration
    ExpectedBucketOwner: str | None

class PutBucketWebsiteRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    WebsiteConfiguration: WebsiteConfiguration
    ExpectedBucketOwner: str | None

class PutObjectAclRequest(msgspec.Struct):
    ACL: str | None
    AccessControlPolicy: AccessControlPolicy | None
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    GrantFullControl: str | None
    GrantRead: str | None
    GrantReadACP: str | None
    GrantWrite: str | None
    GrantWriteACP: str | None
    Key: str
    RequestPayer: str | None
    VersionId: str | None
    ExpectedBucketOwner: str | None

class PutObjectAnnotationRequest(msgspec.Struct):
    Bucket: str
    Key: str
    VersionId: str | None
    AnnotationName: str
    AnnotationPayload: bytes
    ObjectIfMatch: str | None
    ChecksumAlgorithm: str | None
    ChecksumCRC32: str | None
    ChecksumCRC32C: str | None
    ChecksumCRC64NVME: str | None
    ChecksumSHA1: str | None
    ChecksumSHA256: str | None
    ChecksumSHA512: str | None
    ChecksumMD5: str | None
    ChecksumXXHASH64: str | None
    ChecksumXXHASH3: str | None
    ChecksumXXHASH128: str | None
    ContentMD5: str | None
    RequestPayer: str | None
    ExpectedBucketOwner: str | None

class PutObjectLegalHoldRequest(msgspec.Struct):
    Bucket: str
    Key: str
    LegalHold: ObjectLockLegalHold | None
    RequestPayer: str | None
    VersionId: str | None
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    ExpectedBucketOwner: str | None

class PutObjectLockConfigurationRequest(msgspec.Struct):
    Bucket: str
    ObjectLockConfiguration: ObjectLockConfiguration | None
    RequestPayer: str | None
    Token: str | None
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    ExpectedBucketOwner: str | None

class PutObjectRequest(msgspec.Struct):
    ACL: str | None
    Body: bytes | None
    Bucket: str
    CacheControl: str | None
    ContentDisposition: str | None
    ContentEncoding: str | None
    ContentLanguage: str | None
    ContentLength: int | None
    ContentMD5: str | None
    ContentType: str | None
    ChecksumAlgorithm: str | None
    ChecksumCRC32: str | None
    ChecksumCRC32C: str | None
    ChecksumCRC64NVME: str | None
    ChecksumSHA1: str | None
    ChecksumSHA256: str | None
    ChecksumSHA512: str | None
    ChecksumMD5: str | None
    ChecksumXXHASH64: str | None
    ChecksumXXHASH3: str | None
    ChecksumXXHASH128: str | None
    Expires: str | None
    IfMatch: str | None
    IfNoneMatch: str | None
    GrantFullControl: str | None
    GrantRead: str | None
    GrantReadACP: str | None
    GrantWriteACP: str | None
    Key: str
    WriteOffsetBytes: int | None
    Metadata: dict[str, str] | None
    ServerSideEncryption: str | None
    StorageClass: str | None
    WebsiteRedirectLocation: str | None
    SSECustomerAlgorithm: str | None
    SSECustomerKey: str | None
    SSECustomerKeyMD5: str | None
    SSEKMSKeyId: str | None
    SSEKMSEncryptionContext: str | None
    BucketKeyEnabled: bool | None
    RequestPayer: str | None
    Tagging: str | None
    ObjectLockMode: str | None
    ObjectLockRetainUntilDate: float | None
    ObjectLockLegalHoldStatus: str | None
    ObjectLockEventHold: str | None
    ObjectLockEventHoldDurationDays: int | None
    ObjectLockEventHoldDurationYears: int | None
    ExpectedBucketOwner: str | None

class PutObjectRetentionRequest(msgspec.Struct):
    Bucket: str
    Key: str
    Retention: ObjectLockRetention | None
    RequestPayer: str | None
    VersionId: str | None
    BypassGovernanceRetention: bool | None
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    ExpectedBucketOwner: str | None

class PutObjectTaggingRequest(msgspec.Struct):
    Bucket: str
    Key: str
    VersionId: str | None
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    Tagging: Tagging
    ExpectedBucketOwner: str | None
    RequestPayer: str | None

class PutPublicAccessBlockRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    PublicAccessBlockConfiguration: PublicAccessBlockConfiguration
    ExpectedBucketOwner: str | None

class QueueConfiguration(msgspec.Struct):
    Id: str | None
    QueueArn: str
    Events: list[str]
    Filter: NotificationConfigurationFilter | None

class QueueConfigurationDeprecated(msgspec.Struct):
    Id: str | None
    Event: str | None
    Events: list[str] | None
    Queue: str | None

class RecordExpiration(msgspec.Struct):
    Expiration: str
    Days: int | None

class Redirect(msgspec.Struct):
    HostName: str | None
    HttpRedirectCode: str | None
    Protocol: str | None
    ReplaceKeyPrefixWith: str | None
    ReplaceKeyWith: str | None

class RedirectAllRequestsTo(msgspec.Struct):
    HostName: str
    Protocol: str | None

class RenameObjectRequest(msgspec.Struct):
    Bucket: str
    Key: str
    RenameSource: str
    DestinationIfMatch: str | None
    DestinationIfNoneMatch: str | None
    DestinationIfModifiedSince: float | None
    DestinationIfUnmodifiedSince: float | None
    SourceIfMatch: str | None
    SourceIfNoneMatch: str | None
    SourceIfModifiedSince: float | None
    SourceIfUnmodifiedSince: float | None
    ClientToken: str | None

class ReplicaModifications(msgspec.Struct):
    Status: str

class ReplicationConfiguration(msgspec.Struct):
    Role: str
    Rules: list[ReplicationRule]

class ReplicationRule(msgspec.Struct):
    ID: str | None
    Priority: int | None
    Prefix: str | None
    Filter: ReplicationRuleFilter | None
    Status: str
    SourceSelectionCriteria: SourceSelectionCriteria | None
    ExistingObjectReplication: ExistingObjectReplication | None
    Destination: Destination
    DeleteMarkerReplication: DeleteMarkerReplication | None

class ReplicationRuleAndOperator(msgspec.Struct):
    Prefix: str | None
    Tags: list[Tag] | None

class ReplicationRuleFilter(msgspec.Struct):
    Prefix: str | None
    Tag: Tag | None
    And: ReplicationRuleAndOperator | None

class ReplicationTime(msgspec.Struct):
    Status: str
    Time: ReplicationTimeValue

class ReplicationTimeValue(msgspec.Struct):
    Minutes: int | None

class RequestPaymentConfiguration(msgspec.Struct):
    Payer: str

class RestoreObjectRequest(msgspec.Struct):
    Bucket: str
    Key: str
    VersionId: str | None
    RestoreRequest: RestoreRequest | None
    RequestPayer: str | None
    ChecksumAlgorithm: str | None
    ExpectedBucketOwner: str | None

class RestoreRequest(msgspec.Struct):
    Days: int | None
    GlacierJobParameters: GlacierJobParameters | None
    Type: str | None
    Tier: str | None
    Description: str | None
    SelectParameters: SelectParameters | None
    OutputLocation: OutputLocation | None

class RoutingRule(msgspec.Struct):
    Condition: Condition | None
    Redirect: Redirect

class Rule(msgspec.Struct):
    Expiration: LifecycleExpiration | None
    ID: str | None
    Prefix: str
    Status: str
    Transition: Transition | None
    NoncurrentVersionTransition: NoncurrentVersionTransition | None
    NoncurrentVersionExpiration: NoncurrentVersionExpiration | None
    AbortIncompleteMultipartUpload: AbortIncompleteMultipartUpload | None

class S3KeyFilter(msgspec.Struct):
    FilterRules: list[FilterRule] | None

class S3Location(msgspec.Struct):
    BucketName: str
    Prefix: str
    Encryption: Encryption | None
    CannedACL: str | None
    AccessControlList: list[Grant] | None
    Tagging: Tagging | None
    UserMetadata: list[MetadataEntry] | None
    StorageClass: str | None

class S3TablesDestination(msgspec.Struct):
    TableBucketArn: str
    TableName: str

class SSEKMS(msgspec.Struct):
    KeyId: str

class SSEKMSEncryption(msgspec.Struct):
    KMSKeyArn: str
    BucketKeyEnabled: bool | None

class SSES3(msgspec.Struct):
    ...

class SelectParameters(msgspec.Struct):
    InputSerialization: InputSerialization
    ExpressionType: str
    Expression: str
    OutputSerialization: OutputSerialization

class ServerSideEncryptionByDefault(msgspec.Struct):
    SSEAlgorithm: str
    KMSMasterKeyID: str | None

class ServerSideEncryptionConfiguration(msgspec.Struct):
    Rules: list[ServerSideEncryptionRule]

class ServerSideEncryptionRule(msgspec.Struct):
    ApplyServerSideEncryptionByDefault: ServerSideEncryptionByDefault | None
    BucketKeyEnabled: bool | None
    BlockedEncryptionTypes: BlockedEncryptionTypes | None

class SimplePrefix(msgspec.Struct):
    ...

class SourceSelectionCriteria(msgspec.Struct):
    SseKmsEncryptedObjects: SseKmsEncryptedObjects | None
    ReplicaModifications: ReplicaModifications | None

class SseKmsEncryptedObjects(msgspec.Struct):
    Status: str

class StorageClassAnalysis(msgspec.Struct):
    DataExport: StorageClassAnalysisDataExport | None

class StorageClassAnalysisDataExport(msgspec.Struct):
    OutputSchemaVersion: str
    Destination: AnalyticsExportDestination

class Tag(msgspec.Struct):
    Key: str
    Value: str

class Tagging(msgspec.Struct):
    TagSet: list[Tag]

class TargetGrant(msgspec.Struct):
    Grantee: Grantee | None
    Permission: str | None

class TargetObjectKeyFormat(msgspec.Struct):
    SimplePrefix: SimplePrefix | None
    PartitionedPrefix: PartitionedPrefix | None

class Tiering(msgspec.Struct):
    Days: int
    AccessTier: str

class TopicConfiguration(msgspec.Struct):
    Id: str | None
    TopicArn: str
    Events: list[str]
    Filter: NotificationConfigurationFilter | None

class TopicConfigurationDeprecated(msgspec.Struct):
    Id: str | None
    Events: list[str] | None
    Event: str | None
    Topic: str | None

class Transition(msgspec.Struct):
    Date: float | None
    Days: int | None
    StorageClass: str | None

class UpdateBucketMetadataAnnotationTableConfigurationRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    AnnotationTableConfiguration: AnnotationTableConfigurationUpdates
    ExpectedBucketOwner: str | None

class UpdateBucketMetadataInventoryTableConfigurationRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    InventoryTableConfiguration: InventoryTableConfigurationUpdates
    ExpectedBucketOwner: str | None

class UpdateBucketMetadataJournalTableConfigurationRequest(msgspec.Struct):
    Bucket: str
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    JournalTableConfiguration: JournalTableConfigurationUpdates
    ExpectedBucketOwner: str | None

class UpdateObjectEncryptionRequest(msgspec.Struct):
    Bucket: str
    Key: str
    VersionId: str | None
    ObjectEncryption: ObjectEncryption
    RequestPayer: str | None
    ExpectedBucketOwner: str | None
    ContentMD5: str | None
    ChecksumAlgorithm: str | None

class UploadPartCopyRequest(msgspec.Struct):
    Bucket: str
    CopySource: str
    CopySourceIfMatch: str | None
    CopySourceIfModifiedSince: float | None
    CopySourceIfNoneMatch: str | None
    CopySourceIfUnmodifiedSince: float | None
    CopySourceRange: str | None
    Key: str
    PartNumber: int
    UploadId: str
    SSECustomerAlgorithm: str | None
    SSECustomerKey: str | None
    SSECustomerKeyMD5: str | None
    CopySourceSSECustomerAlgorithm: str | None
    CopySourceSSECustomerKey: str | None
    CopySourceSSECustomerKeyMD5: str | None
    RequestPayer: str | None
    ExpectedBucketOwner: str | None
    ExpectedSourceBucketOwner: str | None

class UploadPartRequest(msgspec.Struct):
    Body: bytes | None
    Bucket: str
    ContentLength: int | None
    ContentMD5: str | None
    ChecksumAlgorithm: str | None
    ChecksumCRC32: str | None
    ChecksumCRC32C: str | None
    ChecksumCRC64NVME: str | None
    ChecksumSHA1: str | None
    ChecksumSHA256: str | None
    ChecksumSHA512: str | None
    ChecksumMD5: str | None
    ChecksumXXHASH64: str | None
    ChecksumXXHASH3: str | None
    ChecksumXXHASH128: str | None
    Key: str
    PartNumber: int
    UploadId: str
    SSECustomerAlgorithm: str | None
    SSECustomerKey: str | None
    SSECustomerKeyMD5: str | None
    RequestPayer: str | None
    ExpectedBucketOwner: str | None

class VersioningConfiguration(msgspec.Struct):
    MFADelete: str | None
    Status: str | None

class WebsiteConfiguration(msgspec.Struct):
    ErrorDocument: ErrorDocument | None
    IndexDocument: IndexDocument | None
    RedirectAllRequestsTo: RedirectAllRequestsTo | None
    RoutingRules: list[RoutingRule] | None

class WriteGetObjectResponseRequest(msgspec.Struct):
    RequestRoute: str
    RequestToken: str
    Body: bytes | None
    StatusCode: int | None
    ErrorCode: str | None
    ErrorMessage: str | None
    AcceptRanges: str | None
    CacheControl: str | None
    ContentDisposition: str | None
    ContentEncoding: str | None
    ContentLanguage: str | None
    ContentLength: int | None
    ContentRange: str | None
    ContentType: str | None
    ChecksumCRC32: str | None
    ChecksumCRC32C: str | None
    ChecksumCRC64NVME: str | None
    ChecksumSHA1: str | None
    ChecksumSHA256: str | None
    ChecksumSHA512: str | None
    ChecksumMD5: str | None
    ChecksumXXHASH64: str | None
    ChecksumXXHASH3: str | None
    ChecksumXXHASH128: str | None
    DeleteMarker: bool | None
    ETag: str | None
    Expires: str | None
    Expiration: str | None
    LastModified: float | None
    MissingMeta: int | None
    Metadata: dict[str, str] | None
    ObjectLockMode: str | None
    ObjectLockLegalHoldStatus: str | None
    ObjectLockRetainUntilDate: float | None
    PartsCount: int | None
    ReplicationStatus: str | None
    RequestCharged: str | None
    Restore: str | None
    ServerSideEncryption: str | None
    SSECustomerAlgorithm: str | None
    SSEKMSKeyId: str | None
    SSECustomerKeyMD5: str | None
    StorageClass: str | None
    TagCount: int | None
    VersionId: str | None
    BucketKeyEnabled: bool | None

class AbacStatusDict(TypedDict, total=False):
    Status: str

class AbortIncompleteMultipartUploadDict(TypedDict, total=False):
    DaysAfterInitiation: int

class AbortMultipartUploadOutput(TypedDict, total=False):
    RequestCharged: str
    VersionId: str

class AccessControlTranslationDict(TypedDict, total=False):
    Owner: str

class AnalyticsAndOperatorDict(TypedDict, total=False):
    Prefix: str
    Tags: list[TagDict]

class AnalyticsConfigurationDict(TypedDict, total=False):
    Id: str
    Filter: AnalyticsFilterDict
    StorageClassAnalysis: StorageClassAnalysisDict

class AnalyticsExportDestinationDict(TypedDict, total=False):
    S3BucketDestination: AnalyticsS3BucketDestinationDict

class AnalyticsFilterDict(TypedDict, total=False):
    Prefix: str
    Tag: TagDict
    And: AnalyticsAndOperatorDict

class AnalyticsS3BucketDestinationDict(TypedDict, total=False):
    Format: str
    BucketAccountId: str
    Bucket: str
    Prefix: str

class AnnotationEntry(TypedDict, total=False):
    AnnotationName: str
    LastModified: float
    ETag: str
    ChecksumAlgorithm: list[str]
    Size: int
    ReplicationStatus: str

class AnnotationTableConfigurationResult(TypedDict, total=False):
    ConfigurationState: str
    TableStatus: str
    Error: ErrorDetails
    TableName: str
    TableArn: str
    Role: str

class BlockedEncryptionTypesDict(TypedDict, total=False):
    EncryptionType: list[str]

class Bucket(TypedDict, total=False):
    Name: str
    CreationDate: float
    BucketRegion: str
    BucketArn: str

class CORSRuleDict(TypedDict, total=False):
    ID: str
    AllowedHeaders: list[str]
    AllowedMethods: list[str]
    AllowedOrigins: list[str]
    ExposeHeaders: list[str]
    MaxAgeSeconds: int

class Checksum(TypedDict, total=False):
    ChecksumCRC32: str
    ChecksumCRC32C: str
    ChecksumCRC64NVME: str
    ChecksumSHA1: str
    ChecksumSHA256: str
    ChecksumSHA512: str
    ChecksumMD5: str
    ChecksumXXHASH64: str
    ChecksumXXHASH3: str
    ChecksumXXHASH128: str
    ChecksumType: str

class CloudFunctionConfigurationDict(TypedDict, total=False):
    Id: str
    Event: str
    Events: list[str]
    CloudFunction: str
    InvocationRole: str

class CommonPrefix(TypedDict, total=False):
    Prefix: str

class CompleteMultipartUploadOutput(TypedDict, total=False):
    Location: str
    Bucket: str
    Key: str
    Expiration: str
    ETag: str
    ChecksumCRC32: str
    ChecksumCRC32C: str
    ChecksumCRC64NVME: str
    ChecksumSHA1: str
    ChecksumSHA256: str
    ChecksumSHA512: str
    ChecksumMD5: str
    ChecksumXXHASH64: str
    ChecksumXXHASH3: str
    ChecksumXXHASH128: str
    ChecksumType: str
    ServerSideEncryption: str
    VersionId: str
    SSEKMSKeyId: str
    BucketKeyEnabled: bool
    RequestCharged: str

class ConditionDict(TypedDict, total=False):
    HttpErrorCodeReturnedEquals: str
    KeyPrefixEquals: str

class CopyObjectOutput(TypedDict, total=False):
    CopyObjectResult: CopyObjectResult
    Expiration: str
    CopySourceVersionId: str
    VersionId: str
    ServerSideEncryption: str
    SSECustomerAlgorithm: str
    SSECustomerKeyMD5: str
    SSEKMSKeyId: str
    SSEKMSEncryptionContext: str
    BucketKeyEnabled: bool
    RequestCharged: str

class CopyObjectResult(TypedDict, total=False):
    ETag: str
    LastModified: float
    ChecksumType: str
    ChecksumCRC32: str
    ChecksumCRC32C: str
    ChecksumCRC64NVME: str
    ChecksumSHA1: str
    ChecksumSHA256: str
    ChecksumSHA512: str
    ChecksumMD5: str
    ChecksumXXHASH64: str
    ChecksumXXHASH3: str
    ChecksumXXHASH128: str

class CopyPartResult(TypedDict, total=False):
    ETag: str
    LastModified: float
    ChecksumCRC32: str
    ChecksumCRC32C: str
    ChecksumCRC64NVME: str
    ChecksumSHA1: str
    ChecksumSHA256: str
    ChecksumSHA512: str
    ChecksumMD5: str
    ChecksumXXHASH64: str
    ChecksumXXHASH3: str
    ChecksumXXHASH128: str

class CreateBucketOutput(TypedDict, total=False):
    Location: str
    BucketArn: str

class CreateMultipartUploadOutput(TypedDict, total=False):
    AbortDate: float
    AbortRuleId: str
    Bucket: str
    Key: str
    UploadId: str
    ServerSideEncryption: str
    SSECustomerAlgorithm: str
    SSECustomerKeyMD5: str
    SSEKMSKeyId: str
    SSEKMSEncryptionContext: str
    BucketKeyEnabled: bool
    RequestCharged: str
    ChecksumAlgorithm: str
    ChecksumType: str
    VersionId: str

class CreateSessionOutput(TypedDict, total=False):
    ServerSideEncryption: str
    SSEKMSKeyId: str
    SSEKMSEncryptionContext: str
    BucketKeyEnabled: bool
    Credentials: SessionCredentials

class DefaultRetentionDict(TypedDict, total=False):
    Mode: str
    Days: int
    Years: int
    DefaultEventHold: EventHoldDurationDict

class DeleteMarkerEntry(TypedDict, total=False):
    Owner: OwnerDict
    Key: str
    VersionId: str
    IsLatest: bool
    LastModified: float

class DeleteMarkerReplicationDict(TypedDict, total=False):
    Status: str

class DeleteObjectAnnotationOutput(TypedDict, total=False):
    ObjectVersionId: str
    RequestCharged: str

class DeleteObjectOutput(TypedDict, total=False):
    DeleteMarker: bool
    VersionId: str
    RequestCharged: str

class DeleteObjectTaggingOutput(TypedDict, total=False):
    VersionId: str

class DeleteObjectsOutput(TypedDict, total=False):
    Deleted: list[DeletedObject]
    RequestCharged: str
    Errors: list[Error]

class DeletedObject(TypedDict, total=False):
    Key: str
    VersionId: str
    DeleteMarker: bool
    DeleteMarkerVersionId: str

class DestinationDict(TypedDict, total=False):
    Bucket: str
    Account: str
    StorageClass: str
    AccessControlTranslation: AccessControlTranslationDict
    EncryptionConfiguration: EncryptionConfigurationDict
    ReplicationTime: ReplicationTimeDict
    Metrics: MetricsDict

class DestinationResult(TypedDict, total=False):
    TableBucketType: str
    TableBucketArn: str
    TableNamespace: str

class EncryptionConfigurationDict(TypedDict, total=False):
    ReplicaKmsKeyID: str

class Error(TypedDict, total=False):
    Key: str
    VersionId: str
    Code: str
    Message: str

class ErrorDetails(TypedDict, total=False):
    ErrorCode: str
    ErrorMessage: str

class ErrorDocumentDict(TypedDict, total=False):
    Key: str

class EventBridgeConfigurationDict(TypedDict, total=False):
    ...

class EventHoldDurationDict(TypedDict, total=False):
    Days: int
    Years: int

class ExistingObjectReplicationDict(TypedDict, total=False):
    Status: str

class FilterRuleDict(TypedDict, total=False):
    Name: str
    Value: str

class GetBucketAbacOutput(TypedDict, total=False):
    AbacStatus: AbacStatusDict

class GetBucketAccelerateConfigurationOutput(TypedDict, total=False):
    Status: str
    RequestCharged: str

class GetBucketAclOutput(TypedDict, total=False):
    Owner: OwnerDict
    Grants: list[GrantDict]

class GetBucketAnalyticsConfigurationOutput(TypedDict, total=False):
    AnalyticsConfiguration: AnalyticsConfigurationDict

class GetBucketCorsOutput(TypedDict, total=False):
    CORSRules: list[CORSRuleDict]

class GetBucketEncryptionOutput(TypedDict, total=False):
    ServerSideEncryptionConfiguration: ServerSideEncryptionConfigurationDict

class GetBucketIntelligentTieringConfigurationOutput(TypedDict, total=False):
    IntelligentTieringConfiguration: IntelligentTieringConfigurationDict

class GetBucketInventoryConfigurationOutput(TypedDict, total=False):
    InventoryConfiguration: InventoryConfigurationDict

class GetBucketLifecycleConfigurationOutput(TypedDict, total=False):
    Rules: list[LifecycleRuleDict]
    TransitionDefaultMinimumObjectSize: str

class GetBucketLifecycleOutput(TypedDict, total=False):
    Rules: list[RuleDict]

class GetBucketLocationOutput(TypedDict, total=False):
    LocationConstraint: str

class GetBucketLoggingOutput(TypedDict, total=False):
    LoggingEnabled: LoggingEnabledDict

class GetBucketMetadataConfigurationOutput(TypedDict, total=False):
    GetBucketMetadataConfigurationResult: GetBucketMetadataConfigurationResult

class GetBucketMetadataConfigurationResult(TypedDict, total=False):
    MetadataConfigurationResult: MetadataConfigurationResult

class GetBucketMetadataTableConfigurationOutput(TypedDict, total=False):
    GetBucketMetadataTableConfigurationResult: GetBucketMetadataTableConfigurationResult

class GetBucketMetadataTableConfigurationResult(TypedDict, total=False):
    MetadataTableConfigurationResult: MetadataTableConfigurationResult
    Status: str
    Error: ErrorDetails

class GetBucketMetricsConfigurationOutput(TypedDict, total=False):
    MetricsConfiguration: MetricsConfigurationDict

class GetBucketOwnershipControlsOutput(TypedDict, total=False):
    OwnershipControls: OwnershipControlsDict

class GetBucketPolicyOutput(TypedDict, total=False):
    Policy: str

class GetBucketPolicyStatusOutput(TypedDict, total=False):
    PolicyStatus: PolicyStatus

class GetBucketReplicationOutput(TypedDict, total=False):
    ReplicationConfiguration: ReplicationConfigurationDict

class GetBucketRequestPaymentOutput(TypedDict, total=False):
    Payer: str

class GetBucketTaggingOutput(TypedDict, total=False):
    TagSet: list[TagDict]

class GetBucketVersioningOutput(TypedDict, total=False):
    Status: str
    MFADelete: str

class GetBucketWebsiteOutput(TypedDict, total=False):
    RedirectAllRequestsTo: RedirectAllRequestsToDict
    IndexDocument: IndexDocumentDict
    ErrorDocument: ErrorDocumentDict
    RoutingRules: list[RoutingRuleDict]

class GetObjectAclOutput(TypedDict, total=False):
    Owner: OwnerDict
    Grants: list[GrantDict]
    RequestCharged: str

class GetObjectAnnotationOutput(TypedDict, total=False):
    AnnotationPayload: bytes
    ObjectVersionId: str
    LastModified: float
    ContentLength: int
    ETag: str
    ChecksumCRC32: str
    ChecksumCRC32C: str
    ChecksumCRC64NVME: str
    ChecksumSHA1: str
    ChecksumSHA256: str
    ChecksumSHA512: str
    ChecksumMD5: str
    ChecksumXXHASH64: str
    ChecksumXXHASH3: str
    ChecksumXXHASH128: str
    ChecksumType: str
    ServerSideEncryption: str
    RequestCharged: str
    ReplicationStatus: str

class GetObjectAttributesOutput(TypedDict, total=False):
    DeleteMarker: bool
    LastModified: float
    VersionId: str
    RequestCharged: str
    ETag: str
    Checksum: Checksum
    ObjectParts: GetObjectAttributesParts
    StorageClass: str
    ObjectSize: int

class GetObjectAttributesParts(TypedDict, total=False):
    TotalPartsCount: int
    PartNumberMarker: int
    NextPartNumberMarker: int
    MaxParts: int
    IsTruncated: bool
    Parts: list[ObjectPart]

class GetObjectLegalHoldOutput(TypedDict, total=False):
    LegalHold: ObjectLockLegalHoldDict

class GetObjectLockConfigurationOutput(TypedDict, total=False):
    ObjectLockConfiguration: ObjectLockConfigurationDict

class GetObjectOutput(TypedDict, total=False):
    Body: bytes
    DeleteMarker: bool
    AcceptRanges: str
    Expiration: str
    Restore: str
    LastModified: float
    ContentLength: int
    ETag: str
    ChecksumCRC32: str
    ChecksumCRC32C: str
    ChecksumCRC64NVME: str
    ChecksumSHA1: str
    ChecksumSHA256: str
    ChecksumSHA512: str
    ChecksumMD5: str
    ChecksumXXHASH64: str
    ChecksumXXHASH3: str
    ChecksumXXHASH128: str
    ChecksumType: str
    MissingMeta: int
    VersionId: str
    CacheControl: str
    ContentDisposition: str
    ContentEncoding: str
    ContentLanguage: str
    ContentRange: str
    ContentType: str
    Expires: str
    WebsiteRedirectLocation: str
    ServerSideEncryption: str
    Metadata: dict[str, str]
    SSECustomerAlgorithm: str
    SSECustomerKeyMD5: str
    SSEKMSKeyId: str
    BucketKeyEnabled: bool
    StorageClass: str
    RequestCharged: str
    ReplicationStatus: str
    PartsCount: int
    TagCount: int
    ObjectLockMode: str
    ObjectLockRetainUntilDate: float
    ObjectLockLegalHoldStatus: str
    ObjectLockEventHold: str
    ObjectLockEventHoldDurationDays: int
    ObjectLockEventHoldDurationYears: int

class GetObjectRetentionOutput(TypedDict, total=False):
    Retention: ObjectLockRetentionDict

class GetObjectTaggingOutput(TypedDict, total=False):
    VersionId: str
    TagSet: list[TagDict]

class GetObjectTorrentOutput(TypedDict, total=False):
    Body: bytes
    RequestCharged: str

class GetPublicAccessBlockOutput(TypedDict, total=False):
    PublicAccessBlockConfiguration: PublicAccessBlockConfigurationDict

class GrantDict(TypedDict, total=False):
    Grantee: GranteeDict
    Permission: str

class GranteeDict(TypedDict, total=False):
    DisplayName: str
    EmailAddress: str
    ID: str
    Type: str
    URI: str

class HeadBucketOutput(TypedDict, total=False):
    BucketArn: str
    BucketLocationType: str
    BucketLocationName: str
    BucketRegion: str
    AccessPointAlias: bool

class HeadObjectOutput(TypedDict, total=False):
    DeleteMarker: bool
    AcceptRanges: str
    Expiration: str
    Restore: str
    ArchiveStatus: str
    LastModified: float
    ContentLength: int
    ChecksumCRC32: str
    ChecksumCRC32C: str
    ChecksumCRC64NVME: str
    ChecksumSHA1: str
    ChecksumSHA256: str
    ChecksumSHA512: str
    ChecksumMD5: str
    ChecksumXXHASH64: str
    ChecksumXXHASH3: str
    ChecksumXXHASH128: str
    ChecksumType: str
    ETag: str
    MissingMeta: int
    VersionId: str
    CacheControl: str
    ContentDisposition: str
    ContentEncoding: str
    ContentLanguage: str
    ContentType: str
    ContentRange: str
    Expires: str
    WebsiteRedirectLocation: str
    ServerSideEncryption: str
    Metadata: dict[str, str]
    SSECustomerAlgorithm: str
    SSECustomerKeyMD5: str
    SSEKMSKeyId: str
    BucketKeyEnabled: bool
    StorageClass: str
    RequestCharged: str
    ReplicationStatus: str
    PartsCount: int
    TagCount: int
    ObjectLockMode: str
    ObjectLockRetainUntilDate: float
    ObjectLockLegalHoldStatus: str
    ObjectLockEventHold: str
    ObjectLockEventHoldDurationDays: int
    ObjectLockEventHoldDurationYears: int

class IndexDocumentDict(TypedDict, total=False):
    Suffix: str

class Initiator(TypedDict, total=False):
    ID: str
    DisplayName: str

class IntelligentTieringAndOperatorDict(TypedDict, total=False):
    Prefix: str
    Tags: list[TagDict]

class IntelligentTieringConfigurationDict(TypedDict, total=False):
    Id: str
    Filter: IntelligentTieringFilterDict
    Status: str
    Tierings: list[TieringDict]

class IntelligentTieringFilterDict(TypedDict, total=False):
    Prefix: str
    Tag: TagDict
    And: IntelligentTieringAndOperatorDict

class InventoryConfigurationDict(TypedDict, total=False):
    Destination: InventoryDestinationDict
    IsEnabled: bool
    Filter: InventoryFilterDict
    Id: str
    IncludedObjectVersions: str
    OptionalFields: list[str]
    Schedule: InventoryScheduleDict

class InventoryDestinationDict(TypedDict, total=False):
    S3BucketDestination: InventoryS3BucketDestinationDict

class InventoryEncryptionDict(TypedDict, total=False):
    SSES3: SSES3Dict
    SSEKMS: SSEKMSDict

class InventoryFilterDict(TypedDict, total=False):
    Prefix: str

class InventoryS3BucketDestinationDict(TypedDict, total=False):
    AccountId: str
    Bucket: str
    Format: str
    Prefix: str
    Encryption: InventoryEncryptionDict

class InventoryScheduleDict(TypedDict, total=False):
    Frequency: str

class InventoryTableConfigurationResult(TypedDict, total=False):
    ConfigurationState: str
    TableStatus: str
    Error: ErrorDetails
    TableName: str
    TableArn: str

class JournalTableConfigurationResult(TypedDict, total=False):
    TableStatus: str
    Error: ErrorDetails
    TableName: str
    TableArn: str
    RecordExpiration: RecordExpirationDict

class LambdaFunctionConfigurationDict(TypedDict, total=False):
    Id: str
    LambdaFunctionArn: str
    Events: list[str]
    Filter: NotificationConfigurationFilterDict

class LifecycleExpirationDict(TypedDict, total=False):
    Date: float
    Days: int
    ExpiredObjectDeleteMarker: bool

class LifecycleRuleDict(TypedDict, total=False):
    Expiration: LifecycleExpirationDict
    ID: str
    Prefix: str
    Filter: LifecycleRuleFilterDict
    Status: str
    Transitions: list[TransitionDict]
    NoncurrentVersionTransitions: list[NoncurrentVersionTransitionDict]
    NoncurrentVersionExpiration: NoncurrentVersionExpirationDict
    AbortIncompleteMultipartUpload: AbortIncompleteMultipartUploadDict

class LifecycleRuleAndOperatorDict(TypedDict, total=False):
    Prefix: str
    Tags: list[TagDict]
    ObjectSizeGreaterThan: int
    ObjectSizeLessThan: int

class LifecycleRuleFilterDict(TypedDict, total=False):
    Prefix: str
    Tag: TagDict
    ObjectSizeGreaterThan: int
    ObjectSizeLessThan: int
    And: LifecycleRuleAndOperatorDict

class ListBucketAnalyticsConfigurationsOutput(TypedDict, total=False):
    IsTruncated: bool
    ContinuationToken: str
    NextContinuationToken: str
    AnalyticsConfigurationList: list[AnalyticsConfigurationDict]

class ListBucketIntelligentTieringConfigurationsOutput(TypedDict, total=False):
    IsTruncated: bool
    ContinuationToken: str
    NextContinuationToken: str
    IntelligentTieringConfigurationList: list[IntelligentTieringConfigurationDict]

class ListBucketInventoryConfigurationsOutput(TypedDict, total=False):
    ContinuationToken: str
    InventoryConfigurationList: list[InventoryConfigurationDict]
    IsTruncated: bool
    NextContinuationToken: str

class ListBucketMetricsConfigurationsOutput(TypedDict, total=False):
    IsTruncated: bool
    ContinuationToken: str
    NextContinuationToken: str
    MetricsConfigurationList: list[MetricsConfigurationDict]

class ListBucketsOutput(TypedDict, total=False):
    Buckets: list[Bucket]
    Owner: OwnerDict
    ContinuationToken: str
    Prefix: str

class ListDirectoryBucketsOutput(TypedDict, total=False):
    Buckets: list[Bucket]
    ContinuationToken: str

class ListMultipartUploadsOutput(TypedDict, total=False):
    Bucket: str
    KeyMarker: str
    UploadIdMarker: str
    NextKeyMarker: str
    Prefix: str
    Delimiter: str
    NextUploadIdMarker: str
    MaxUploads: int
    IsTruncated: bool
    Uploads: list[MultipartUpload]
    CommonPrefixes: list[CommonPrefix]
    EncodingType: str
    RequestCharged: str

class ListObjectAnnotationsOutput(TypedDict, total=False):
    Annotations: list[AnnotationEntry]
    Bucket: str
    Key: str
    ObjectVersionId: str
    AnnotationPrefix: str
    MaxAnnotationResults: int
    AnnotationCount: int
    ContinuationToken: str
    NextContinuationToken: str
    RequestCharged: str

class ListObjectVersionsOutput(TypedDict, total=False):
    IsTruncated: bool
    KeyMarker: str
    VersionIdMarker: str
    NextKeyMarker: str
    NextVersionIdMarker: str
    Versions: list[ObjectVersion]
    DeleteMarkers: list[DeleteMarkerEntry]
    Name: str
    Prefix: str
    Delimiter: str
    MaxKeys: int
    CommonPrefixes: list[CommonPrefix]
    EncodingType: str
    RequestCharged: str

class ListObjectsOutput(TypedDict, total=False):
    IsTruncated: bool
    Marker: str
    NextMarker: str
    Contents: list[Object]
    Name: str
    Prefix: str
    Delimiter: str
    MaxKeys: int
    CommonPrefixes: list[CommonPrefix]
    EncodingType: str
    RequestCharged: str

class ListObjectsV2Output(TypedDict, total=False):
    IsTruncated: bool
    Contents: list[Object]
    Name: str
    Prefix: str
    Delimiter: str
    MaxKeys: int
    CommonPrefixes: list[CommonPrefix]
    EncodingType: str
    KeyCount: int
    ContinuationToken: str
    NextContinuationToken: str
    StartAfter: str
    RequestCharged: str

class ListPartsOutput(TypedDict, total=False):
    AbortDate: float
    AbortRuleId: str
    Bucket: str
    Key: str
    UploadId: str
    PartNumberMarker: int
    NextPartNumberMarker: int
    MaxParts: int
    IsTruncated: bool
    Parts: list[Part]
    Initiator: Initiator
    Owner: OwnerDict
    StorageClass: str
    RequestCharged: str
    ChecksumAlgorithm: str
    ChecksumType: str
    VersionId: str

class LoggingEnabledDict(TypedDict, total=False):
    TargetBucket: str
    TargetGrants: list[TargetGrantDict]
    TargetPrefix: str
    TargetObjectKeyFormat: TargetObjectKeyFormatDict

class MetadataConfigurationResult(TypedDict, total=False):
    DestinationResult: DestinationResult
    JournalTableConfigurationResult: JournalTableConfigurationResult
    InventoryTableConfigurationResult: InventoryTableConfigurationResult
    AnnotationTableConfigurationResult: AnnotationTableConfigurationResult

class MetadataTableConfigurationResult(TypedDict, total=False):
    S3TablesDestinationResult: S3TablesDestinationResult

class MetricsDict(TypedDict, total=False):
    Status: str
    EventThreshold: ReplicationTimeValueDict

class MetricsAndOperatorDict(TypedDict, total=False):
    Prefix: str
    Tags: list[TagDict]
    AccessPointArn: str

class MetricsConfigurationDict(TypedDict, total=False):
    Id: str
    Filter: MetricsFilterDict

class MetricsFilterDict(TypedDict, total=False):
    Prefix: str
    Tag: TagDict
    AccessPointArn: str
    And: MetricsAndOperatorDict

class MultipartUpload(TypedDict, total=False):
    UploadId: str
    Key: str
    Initiated: float
    StorageClass: str
    Owner: OwnerDict
    Initiator: Initiator
    ChecksumAlgorithm: str
    ChecksumType: str
    VersionId: str

class NoncurrentVersionExpirationDict(TypedDict, total=False):
    NoncurrentDays: int
    NewerNoncurrentVersions: int

class NoncurrentVersionTransitionDict(TypedDict, total=False):
    NoncurrentDays: int
    StorageClass: str
    NewerNoncurrentVersions: int

class NotificationConfigurationDict(TypedDict, total=False):
    TopicConfigurations: list[TopicConfigurationDict]
    QueueConfigurations: list[QueueConfigurationDict]
    LambdaFunctionConfigurations: list[LambdaFunctionConfigurationDict]
    EventBridgeConfiguration: EventBridgeConfigurationDict

class NotificationConfigurationDeprecatedDict(TypedDict, total=False):
    TopicConfiguration: TopicConfigurationDeprecatedDict
    QueueConfiguration: QueueConfigurationDeprecatedDict
    CloudFunctionConfiguration: CloudFunctionConfigurationDict

class NotificationConfigurationFilterDict(TypedDict, total=False):
    Key: S3KeyFilterDict

class Object(TypedDict, total=False):
    Key: str
    LastModified: float
    ETag: str
    ChecksumAlgorithm: list[str]
    ChecksumType: str
    Size: int
    StorageClass: str
    Owner: OwnerDict
    RestoreStatus: RestoreStatus

class ObjectLockConfigurationDict(TypedDict, total=False):
    ObjectLockEnabled: str
    Rule: ObjectLockRuleDict

class ObjectLockLegalHoldDict(TypedDict, total=False):
    Status: str

class ObjectLockRetentionDict(TypedDict, total=False):
    Mode: str
    RetainUntilDate: float
    EventHold: str
    EventHoldDuration: EventHoldDurationDict

class ObjectLockRuleDict(TypedDict, total=False):
    DefaultRetention: DefaultRetentionDict

class ObjectPart(TypedDict, total=False):
    PartNumber: int
    Size: int
    ChecksumCRC32: str
    ChecksumCRC32C: str
    ChecksumCRC64NVME: str
    ChecksumSHA1: str
    ChecksumSHA256: str
    ChecksumSHA512: str
    ChecksumMD5: str
    ChecksumXXHASH64: str
    ChecksumXXHASH3: str
    ChecksumXXHASH128: str

class ObjectVersion(TypedDict, total=False):
    ETag: str
    ChecksumAlgorithm: list[str]
    ChecksumType: str
    Size: int
    StorageClass: str
    Key: str
    VersionId: str
    IsLatest: bool
    LastModified: float
    Owner: OwnerDict
    RestoreStatus: RestoreStatus

class OwnerDict(TypedDict, total=False):
    DisplayName: str
    ID: str

class OwnershipControlsDict(TypedDict, total=False):
    Rules: list[OwnershipControlsRuleDict]

class OwnershipControlsRuleDict(TypedDict, total=False):
    ObjectOwnership: str

class Part(TypedDict, total=False):
    PartNumber: int
    LastModified: float
    ETag: str
    Size: int
    ChecksumCRC32: str
    ChecksumCRC32C: str
    ChecksumCRC64NVME: str
    ChecksumSHA1: str
    ChecksumSHA256: str
    ChecksumSHA512: str
    ChecksumMD5: str
    ChecksumXXHASH64: str
    ChecksumXXHASH3: str
    ChecksumXXHASH128: str

class PartitionedPrefixDict(TypedDict, total=False):
    PartitionDateSource: str

class PolicyStatus(TypedDict, total=False):
    IsPublic: bool

class PublicAccessBlockConfigurationDict(TypedDict, total=False):
    BlockPublicAcls: bool
    IgnorePublicAcls: bool
    BlockPublicPolicy: bool
    RestrictPublicBuckets: bool

class PutBucketLifecycleConfigurationOutput(TypedDict, total=False):
    TransitionDefaultMinimumObjectSize: str

class PutObjectAclOutput(TypedDict, total=False):
    RequestCharged: str

class PutObjectAnnotationOutput(TypedDict, total=False):
    Key: str
    AnnotationName: str
    ObjectVersionId: str
    ETag: str
    ChecksumCRC32: str
    ChecksumCRC32C: str
    ChecksumCRC64NVME: str
    ChecksumSHA1: str
    ChecksumSHA256: str
    ChecksumSHA512: str
    ChecksumMD5: str
    ChecksumXXHASH64: str
    ChecksumXXHASH3: str
    ChecksumXXHASH128: str
    ChecksumType: str
    ServerSideEncryption: str
    RequestCharged: str

class PutObjectLegalHoldOutput(TypedDict, total=False):
    RequestCharged: str

class PutObjectLockConfigurationOutput(TypedDict, total=False):
    RequestCharged: str

class PutObjectOutput(TypedDict, total=False):
    Expiration: str
    ETag: str
    ChecksumCRC32: str
    ChecksumCRC32C: str
    ChecksumCRC64NVME: str
    ChecksumSHA1: str
    ChecksumSHA256: str
    ChecksumSHA512: str
    ChecksumMD5: str
    ChecksumXXHASH64: str
    ChecksumXXHASH3: str
    ChecksumXXHASH128: str
    ChecksumType: str
    ServerSideEncryption: str
    VersionId: str
    SSECustomerAlgorithm: str
    SSECustomerKeyMD5: str
    SSEKMSKeyId: str
    SSEKMSEncryptionContext: str
    BucketKeyEnabled: bool
    Size: int
    RequestCharged: str

class PutObjectRetentionOutput(TypedDict, total=False):
    RequestCharged: str

class PutObjectTaggingOutput(TypedDict, total=False):
    VersionId: str

class QueueConfigurationDict(TypedDict, total=False):
    Id: str
    QueueArn: str
    Events: list[str]
    Filter: NotificationConfigurationFilterDict

class QueueConfigurationDeprecatedDict(TypedDict, total=False):
    Id: str
    Event: str
    Events: list[str]
    Queue: str

class RecordExpirationDict(TypedDict, total=False):
    Expiration: str
    Days: int

class RedirectDict(TypedDict, total=False):
    HostName: str
    HttpRedirectCode: str
    Protocol: str
    ReplaceKeyPrefixWith: str
    ReplaceKeyWith: str

class RedirectAllRequestsToDict(TypedDict, total=False):
    HostName: str
    Protocol: str

class RenameObjectOutput(TypedDict, total=False):
    ...

class ReplicaModificationsDict(TypedDict, total=False):
    Status: str

class ReplicationConfigurationDict(TypedDict, total=False):
    Role: str
    Rules: list[ReplicationRuleDict]

class ReplicationRuleDict(TypedDict, total=False):
    ID: str
    Priority: int
    Prefix: str
    Filter: ReplicationRuleFilterDict
    Status: str
    SourceSelectionCriteria: SourceSelectionCriteriaDict
    ExistingObjectReplication: ExistingObjectReplicationDict
    Destination: DestinationDict
    DeleteMarkerReplication: DeleteMarkerReplicationDict

class ReplicationRuleAndOperatorDict(TypedDict, total=False):
    Prefix: str
    Tags: list[TagDict]

class ReplicationRuleFilterDict(TypedDict, total=False):
    Prefix: str
    Tag: TagDict
    And: ReplicationRuleAndOperatorDict

class ReplicationTimeDict(TypedDict, total=False):
    Status: str
    Time: ReplicationTimeValueDict

class ReplicationTimeValueDict(TypedDict, total=False):
    Minutes: int

class RestoreObjectOutput(TypedDict, total=False):
    RequestCharged: str
    RestoreOutputPath: str

class RestoreStatus(TypedDict, total=False):
    IsRestoreInProgress: bool
    RestoreExpiryDate: float

class RoutingRuleDict(TypedDict, total=False):
    Condition: ConditionDict
    Redirect: RedirectDict

class RuleDict(TypedDict, total=False):
    Expiration: LifecycleExpirationDict
    ID: str
    Prefix: str
    Status: str
    Transition: TransitionDict
    NoncurrentVersionTransition: NoncurrentVersionTransitionDict
    NoncurrentVersionExpiration: NoncurrentVersionExpirationDict
    AbortIncompleteMultipartUpload: AbortIncompleteMultipartUploadDict

class S3KeyFilterDict(TypedDict, total=False):
    FilterRules: list[FilterRuleDict]

class S3TablesDestinationResult(TypedDict, total=False):
    TableBucketArn: str
    TableName: str
    TableArn: str
    TableNamespace: str

class SSEKMSDict(TypedDict, total=False):
    KeyId: str

class SSES3Dict(TypedDict, total=False):
    ...

class ServerSideEncryptionByDefaultDict(TypedDict, total=False):
    SSEAlgorithm: str
    KMSMasterKeyID: str

class ServerSideEncryptionConfigurationDict(TypedDict, total=False):
    Rules: list[ServerSideEncryptionRuleDict]

class ServerSideEncryptionRuleDict(TypedDict, total=False):
    ApplyServerSideEncryptionByDefault: ServerSideEncryptionByDefaultDict
    BucketKeyEnabled: bool
    BlockedEncryptionTypes: BlockedEncryptionTypesDict

class SessionCredentials(TypedDict, total=False):
    AccessKeyId: str
    SecretAccessKey: str
    SessionToken: str
    Expiration: float

class SimplePrefixDict(TypedDict, total=False):
    ...

class SourceSelectionCriteriaDict(TypedDict, total=False):
    SseKmsEncryptedObjects: SseKmsEncryptedObjectsDict
    ReplicaModifications: ReplicaModificationsDict

class SseKmsEncryptedObjectsDict(TypedDict, total=False):
    Status: str

class StorageClassAnalysisDict(TypedDict, total=False):
    DataExport: StorageClassAnalysisDataExportDict

class StorageClassAnalysisDataExportDict(TypedDict, total=False):
    OutputSchemaVersion: str
    Destination: AnalyticsExportDestinationDict

class TagDict(TypedDict, total=False):
    Key: str
    Value: str

class TargetGrantDict(TypedDict, total=False):
    Grantee: GranteeDict
    Permission: str

class TargetObjectKeyFormatDict(TypedDict, total=False):
    SimplePrefix: SimplePrefixDict
    PartitionedPrefix: PartitionedPrefixDict

class TieringDict(TypedDict, total=False):
    Days: int
    AccessTier: str

class TopicConfigurationDict(TypedDict, total=False):
    Id: str
    TopicArn: str
    Events: list[str]
    Filter: NotificationConfigurationFilterDict

class TopicConfigurationDeprecatedDict(TypedDict, total=False):
    Id: str
    Events: list[str]
    Event: str
    Topic: str

class TransitionDict(TypedDict, total=False):
    Date: float
    Days: int
    StorageClass: str

class UpdateObjectEncryptionResponse(TypedDict, total=False):
    RequestCharged: str

class UploadPartCopyOutput(TypedDict, total=False):
    CopySourceVersionId: str
    CopyPartResult: CopyPartResult
    ServerSideEncryption: str
    SSECustomerAlgorithm: str
    SSECustomerKeyMD5: str
    SSEKMSKeyId: str
    BucketKeyEnabled: bool
    RequestCharged: str
    VersionId: str

class UploadPartOutput(TypedDict, total=False):
    ServerSideEncryption: str
    ETag: str
    ChecksumCRC32: str
    ChecksumCRC32C: str
    ChecksumCRC64NVME: str
    ChecksumSHA1: str
    ChecksumSHA256: str
    ChecksumSHA512: str
    ChecksumMD5: str
    ChecksumXXHASH64: str
    ChecksumXXHASH3: str
    ChecksumXXHASH128: str
    SSECustomerAlgorithm: str
    SSECustomerKeyMD5: str
    SSEKMSKeyId: str
    BucketKeyEnabled: bool
    RequestCharged: str
    VersionId: str
