"""etcd's services and messages as tables: names, numbers and types, as on the wire.

State   none
Source  etcd 3.7: api/mvccpb/kv.proto, api/authpb/auth.proto, api/etcdserverpb/rpc.proto, v3lock.proto,
        v3election.proto; the form of the tables is told in protobuf_schema.py
Absent  raft's own messages; the lease checkpoints that members send each other
"""

ETCD = """
file etcd/api/mvccpb/kv.proto mvccpb
message KeyValue
  1 key bytes
  2 create_revision int64
  3 mod_revision int64
  4 version int64
  5 value bytes
  6 lease int64
message Event
  enum EventType PUT DELETE
  1 type EventType
  2 kv KeyValue
  3 prev_kv KeyValue
file etcd/api/authpb/auth.proto authpb
message UserAddOptions
  1 no_password bool
message User
  1 name bytes
  2 password bytes
  3 roles repeated string
  4 options UserAddOptions
message Permission
  enum Type READ WRITE READWRITE
  1 permType Type
  2 key bytes
  3 range_end bytes
message Role
  1 name bytes
  2 keyPermission repeated Permission
file etcd/api/etcdserverpb/rpc.proto etcdserverpb
service KV
  Range RangeRequest RangeResponse /v3/kv/range
  RangeStream RangeRequest stream RangeStreamResponse
  Put PutRequest PutResponse /v3/kv/put
  DeleteRange DeleteRangeRequest DeleteRangeResponse /v3/kv/deleterange
  Txn TxnRequest TxnResponse /v3/kv/txn
  Compact CompactionRequest CompactionResponse /v3/kv/compaction
service Watch
  Watch stream WatchRequest stream WatchResponse /v3/watch
service Lease
  LeaseGrant LeaseGrantRequest LeaseGrantResponse /v3/lease/grant
  LeaseRevoke LeaseRevokeRequest LeaseRevokeResponse /v3/lease/revoke /v3/kv/lease/revoke
  LeaseKeepAlive stream LeaseKeepAliveRequest stream LeaseKeepAliveResponse /v3/lease/keepalive
  LeaseTimeToLive LeaseTimeToLiveRequest LeaseTimeToLiveResponse /v3/lease/timetolive /v3/kv/lease/timetolive
  LeaseLeases LeaseLeasesRequest LeaseLeasesResponse /v3/lease/leases /v3/kv/lease/leases
service Cluster
  MemberAdd MemberAddRequest MemberAddResponse /v3/cluster/member/add
  MemberRemove MemberRemoveRequest MemberRemoveResponse /v3/cluster/member/remove
  MemberUpdate MemberUpdateRequest MemberUpdateResponse /v3/cluster/member/update
  MemberList MemberListRequest MemberListResponse /v3/cluster/member/list
  MemberPromote MemberPromoteRequest MemberPromoteResponse /v3/cluster/member/promote
service Maintenance
  Alarm AlarmRequest AlarmResponse /v3/maintenance/alarm
  Status StatusRequest StatusResponse /v3/maintenance/status
  Defragment DefragmentRequest DefragmentResponse /v3/maintenance/defragment
  Hash HashRequest HashResponse /v3/maintenance/hash
  HashKV HashKVRequest HashKVResponse /v3/maintenance/hashkv
  Snapshot SnapshotRequest stream SnapshotResponse /v3/maintenance/snapshot
  MoveLeader MoveLeaderRequest MoveLeaderResponse /v3/maintenance/transfer-leadership
  Downgrade DowngradeRequest DowngradeResponse /v3/maintenance/downgrade
service Auth
  AuthEnable AuthEnableRequest AuthEnableResponse /v3/auth/enable
  AuthDisable AuthDisableRequest AuthDisableResponse /v3/auth/disable
  AuthStatus AuthStatusRequest AuthStatusResponse /v3/auth/status
  Authenticate AuthenticateRequest AuthenticateResponse /v3/auth/authenticate
  UserAdd AuthUserAddRequest AuthUserAddResponse /v3/auth/user/add
  UserGet AuthUserGetRequest AuthUserGetResponse /v3/auth/user/get
  UserList AuthUserListRequest AuthUserListResponse /v3/auth/user/list
  UserDelete AuthUserDeleteRequest AuthUserDeleteResponse /v3/auth/user/delete
  UserChangePassword AuthUserChangePasswordRequest AuthUserChangePasswordResponse /v3/auth/user/changepw
  UserGrantRole AuthUserGrantRoleRequest AuthUserGrantRoleResponse /v3/auth/user/grant
  UserRevokeRole AuthUserRevokeRoleRequest AuthUserRevokeRoleResponse /v3/auth/user/revoke
  RoleAdd AuthRoleAddRequest AuthRoleAddResponse /v3/auth/role/add
  RoleGet AuthRoleGetRequest AuthRoleGetResponse /v3/auth/role/get
  RoleList AuthRoleListRequest AuthRoleListResponse /v3/auth/role/list
  RoleDelete AuthRoleDeleteRequest AuthRoleDeleteResponse /v3/auth/role/delete
  RoleGrantPermission AuthRoleGrantPermissionRequest AuthRoleGrantPermissionResponse /v3/auth/role/grant
  RoleRevokePermission AuthRoleRevokePermissionRequest AuthRoleRevokePermissionResponse /v3/auth/role/revoke
enum AlarmType NONE NOSPACE CORRUPT
message ResponseHeader
  1 cluster_id uint64
  2 member_id uint64
  3 revision int64
  4 raft_term uint64
message RangeRequest
  enum SortOrder NONE ASCEND DESCEND
  enum SortTarget KEY VERSION CREATE MOD VALUE
  1 key bytes
  2 range_end bytes
  3 limit int64
  4 revision int64
  5 sort_order SortOrder
  6 sort_target SortTarget
  7 serializable bool
  8 keys_only bool
  9 count_only bool
  10 min_mod_revision int64
  11 max_mod_revision int64
  12 min_create_revision int64
  13 max_create_revision int64
message RangeResponse
  1 header ResponseHeader
  2 kvs repeated KeyValue
  3 more bool
  4 count int64
message PutRequest
  1 key bytes
  2 value bytes
  3 lease int64
  4 prev_kv bool
  5 ignore_value bool
  6 ignore_lease bool
message PutResponse
  1 header ResponseHeader
  2 prev_kv KeyValue
message DeleteRangeRequest
  1 key bytes
  2 range_end bytes
  3 prev_kv bool
message DeleteRangeResponse
  1 header ResponseHeader
  2 deleted int64
  3 prev_kvs repeated KeyValue
message RequestOp
  1 request_range RangeRequest in request
  2 request_put PutRequest in request
  3 request_delete_range DeleteRangeRequest in request
  4 request_txn TxnRequest in request
message ResponseOp
  1 response_range RangeResponse in response
  2 response_put PutResponse in response
  3 response_delete_range DeleteRangeResponse in response
  4 response_txn TxnResponse in response
message Compare
  enum CompareResult EQUAL GREATER LESS NOT_EQUAL
  enum CompareTarget VERSION CREATE MOD VALUE LEASE
  1 result CompareResult
  2 target CompareTarget
  3 key bytes
  4 version int64 in target_union
  5 create_revision int64 in target_union
  6 mod_revision int64 in target_union
  7 value bytes in target_union
  8 lease int64 in target_union
  64 range_end bytes
message TxnRequest
  1 compare repeated Compare
  2 success repeated RequestOp
  3 failure repeated RequestOp
message TxnResponse
  1 header ResponseHeader
  2 succeeded bool
  3 responses repeated ResponseOp
message CompactionRequest
  1 revision int64
  2 physical bool
message CompactionResponse
  1 header ResponseHeader
message HashRequest
message HashKVRequest
  1 revision int64
message HashKVResponse
  1 header ResponseHeader
  2 hash uint32
  3 compact_revision int64
  4 hash_revision int64
message HashResponse
  1 header ResponseHeader
  2 hash uint32
message SnapshotRequest
message SnapshotResponse
  1 header ResponseHeader
  2 remaining_bytes uint64
  3 blob bytes
  4 version string
message WatchRequest
  1 create_request WatchCreateRequest in request_union
  2 cancel_request WatchCancelRequest in request_union
  3 progress_request WatchProgressRequest in request_union
message WatchCreateRequest
  enum FilterType NOPUT NODELETE
  1 key bytes
  2 range_end bytes
  3 start_revision int64
  4 progress_notify bool
  5 filters repeated FilterType
  6 prev_kv bool
  7 watch_id int64
  8 fragment bool
message WatchCancelRequest
  1 watch_id int64
message WatchProgressRequest
message WatchResponse
  1 header ResponseHeader
  2 watch_id int64
  3 created bool
  4 canceled bool
  5 compact_revision int64
  6 cancel_reason string
  7 fragment bool
  11 events repeated Event
message LeaseGrantRequest
  1 TTL int64
  2 ID int64
message LeaseGrantResponse
  1 header ResponseHeader
  2 ID int64
  3 TTL int64
  4 error string
message LeaseRevokeRequest
  1 ID int64
message LeaseRevokeResponse
  1 header ResponseHeader
message LeaseKeepAliveRequest
  1 ID int64
message LeaseKeepAliveResponse
  1 header ResponseHeader
  2 ID int64
  3 TTL int64
message LeaseTimeToLiveRequest
  1 ID int64
  2 keys bool
message LeaseTimeToLiveResponse
  1 header ResponseHeader
  2 ID int64
  3 TTL int64
  4 grantedTTL int64
  5 keys repeated bytes
message LeaseLeasesRequest
message LeaseStatus
  1 ID int64
message LeaseLeasesResponse
  1 header ResponseHeader
  2 leases repeated LeaseStatus
message Member
  1 ID uint64
  2 name string
  3 peerURLs repeated string
  4 clientURLs repeated string
  5 isLearner bool
message MemberAddRequest
  1 peerURLs repeated string
  2 isLearner bool
message MemberAddResponse
  1 header ResponseHeader
  2 member Member
  3 members repeated Member
message MemberRemoveRequest
  1 ID uint64
message MemberRemoveResponse
  1 header ResponseHeader
  2 members repeated Member
message MemberUpdateRequest
  1 ID uint64
  2 peerURLs repeated string
message MemberUpdateResponse
  1 header ResponseHeader
  2 members repeated Member
message MemberListRequest
  1 linearizable bool
message MemberListResponse
  1 header ResponseHeader
  2 members repeated Member
message MemberPromoteRequest
  1 ID uint64
message MemberPromoteResponse
  1 header ResponseHeader
  2 members repeated Member
message DefragmentRequest
message DefragmentResponse
  1 header ResponseHeader
message MoveLeaderRequest
  1 targetID uint64
message MoveLeaderResponse
  1 header ResponseHeader
message AlarmRequest
  enum AlarmAction GET ACTIVATE DEACTIVATE
  1 action AlarmAction
  2 memberID uint64
  3 alarm AlarmType
message AlarmMember
  1 memberID uint64
  2 alarm AlarmType
message AlarmResponse
  1 header ResponseHeader
  2 alarms repeated AlarmMember
message DowngradeRequest
  enum DowngradeAction VALIDATE ENABLE CANCEL
  1 action DowngradeAction
  2 version string
message DowngradeResponse
  1 header ResponseHeader
  2 version string
message StatusRequest
message StatusResponse
  1 header ResponseHeader
  2 version string
  3 dbSize int64
  4 leader uint64
  5 raftIndex uint64
  6 raftTerm uint64
  7 raftAppliedIndex uint64
  8 errors repeated string
  9 dbSizeInUse int64
  10 isLearner bool
  11 storageVersion string
  12 dbSizeQuota int64
  13 downgradeInfo DowngradeInfo
message DowngradeInfo
  1 enabled bool
  2 targetVersion string
message AuthEnableRequest
message AuthDisableRequest
message AuthStatusRequest
message AuthenticateRequest
  1 name string
  2 password string
message AuthUserAddRequest
  1 name string
  2 password string
  3 options UserAddOptions
  4 hashedPassword string
message AuthUserGetRequest
  1 name string
message AuthUserDeleteRequest
  1 name string
message AuthUserChangePasswordRequest
  1 name string
  2 password string
  3 hashedPassword string
message AuthUserGrantRoleRequest
  1 user string
  2 role string
message AuthUserRevokeRoleRequest
  1 name string
  2 role string
message AuthRoleAddRequest
  1 name string
message AuthRoleGetRequest
  1 role string
message AuthUserListRequest
message AuthRoleListRequest
message AuthRoleDeleteRequest
  1 role string
message AuthRoleGrantPermissionRequest
  1 name string
  2 perm Permission
message AuthRoleRevokePermissionRequest
  1 role string
  2 key bytes
  3 range_end bytes
message AuthEnableResponse
  1 header ResponseHeader
message AuthDisableResponse
  1 header ResponseHeader
message AuthStatusResponse
  1 header ResponseHeader
  2 enabled bool
  3 authRevision uint64
message AuthenticateResponse
  1 header ResponseHeader
  2 token string
message AuthUserAddResponse
  1 header ResponseHeader
message AuthUserGetResponse
  1 header ResponseHeader
  2 roles repeated string
message AuthUserDeleteResponse
  1 header ResponseHeader
message AuthUserChangePasswordResponse
  1 header ResponseHeader
message AuthUserGrantRoleResponse
  1 header ResponseHeader
message AuthUserRevokeRoleResponse
  1 header ResponseHeader
message AuthRoleAddResponse
  1 header ResponseHeader
message AuthRoleGetResponse
  1 header ResponseHeader
  2 perm repeated Permission
message AuthRoleListResponse
  1 header ResponseHeader
  2 roles repeated string
message AuthUserListResponse
  1 header ResponseHeader
  2 users repeated string
message AuthRoleDeleteResponse
  1 header ResponseHeader
message AuthRoleGrantPermissionResponse
  1 header ResponseHeader
message AuthRoleRevokePermissionResponse
  1 header ResponseHeader
message RangeStreamResponse
  1 range_response RangeResponse
file v3lock.proto v3lockpb
service Lock
  Lock LockRequest LockResponse /v3/lock/lock
  Unlock UnlockRequest UnlockResponse /v3/lock/unlock
message LockRequest
  1 name bytes
  2 lease int64
message LockResponse
  1 header ResponseHeader
  2 key bytes
message UnlockRequest
  1 key bytes
message UnlockResponse
  1 header ResponseHeader
file v3election.proto v3electionpb
service Election
  Campaign CampaignRequest CampaignResponse /v3/election/campaign
  Proclaim ProclaimRequest ProclaimResponse /v3/election/proclaim
  Leader LeaderRequest LeaderResponse /v3/election/leader
  Observe LeaderRequest stream LeaderResponse /v3/election/observe
  Resign ResignRequest ResignResponse /v3/election/resign
message CampaignRequest
  1 name bytes
  2 lease int64
  3 value bytes
message CampaignResponse
  1 header ResponseHeader
  2 leader LeaderKey
message LeaderKey
  1 name bytes
  2 key bytes
  3 rev int64
  4 lease int64
message LeaderRequest
  1 name bytes
message LeaderResponse
  1 header ResponseHeader
  2 kv KeyValue
message ResignRequest
  1 leader LeaderKey
message ResignResponse
  1 header ResponseHeader
message ProclaimRequest
  1 leader LeaderKey
  2 value bytes
message ProclaimResponse
  1 header ResponseHeader
"""
