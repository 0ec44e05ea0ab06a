"""Kafka's configuration properties: names, types, defaults, bounds, and what may change while a broker runs.

State   none
Source  Apache Kafka 4.3: the definitions that its broker, its logs and its groups register
Absent  the properties that Kafka calls internal; their documentation

A property is a line. `~` is null, `!` a property that must be given, `""` an empty text. A rule is
`low..high` (a bound may be left out), `one:` of these texts, `any-case:` likewise, `of:` a list of these
alone, `filled` a text that is not empty, `throttled` a list of PARTITION:BROKER, `offset-reset` as
share groups have it. A broker's property is
read-only (r), or may be changed for one broker (p) or for all (c). A topic's property names the broker's that
it falls back to, with the factor that brings theirs to its unit.
"""

from __future__ import annotations

BROKER_PROPERTIES = """\
add.partitions.to.txn.retry.backoff.max.ms INT 100 0.. r
add.partitions.to.txn.retry.backoff.ms INT 20 1.. r
advertised.listeners LIST ~ - r
alter.config.policy.class.name CLASS ~ - r
alter.log.dirs.replication.quota.window.num INT 11 1.. r
alter.log.dirs.replication.quota.window.size.seconds INT 1 1.. r
authorizer.class.name STRING "" - r
auto.create.topics.enable BOOLEAN true - r
auto.leader.rebalance.enable BOOLEAN true - r
background.threads INT 10 1.. c
broker.heartbeat.interval.ms INT 2000 - r
broker.id INT -1 - r
broker.rack STRING ~ - r
broker.session.timeout.ms INT 9000 - r
client.quota.callback.class CLASS ~ - r
compression.gzip.level INT -1 1..9|-1 c
compression.lz4.level INT 9 1..17 c
compression.type STRING producer one:uncompressed|zstd|lz4|snappy|gzip|producer c
compression.zstd.level INT 3 -131072..22 c
config.providers LIST "" - c
connection.failed.authentication.delay.ms INT 100 0.. r
connections.max.idle.ms LONG 600000 - r
connections.max.reauth.ms LONG 0 - r
controlled.shutdown.enable BOOLEAN true - r
controller.listener.names LIST ! - r
controller.quorum.append.linger.ms INT 25 0.. r
controller.quorum.auto.join.enable BOOLEAN false - r
controller.quorum.bootstrap.servers LIST "" - r
controller.quorum.election.backoff.max.ms INT 1000 0.. r
controller.quorum.election.timeout.ms INT 1000 0.. r
controller.quorum.fetch.max.bytes INT 1048576 1.. r
controller.quorum.fetch.snapshot.max.bytes INT 1048576 1.. r
controller.quorum.fetch.timeout.ms INT 2000 0.. r
controller.quorum.request.timeout.ms INT 2000 0.. r
controller.quorum.retry.backoff.ms INT 20 0.. r
controller.quorum.voters LIST "" - r
controller.quota.window.num INT 11 1.. r
controller.quota.window.size.seconds INT 1 1.. r
controller.socket.timeout.ms INT 30000 - r
cordoned.log.dirs LIST "" - p
create.topic.policy.class.name CLASS ~ - r
default.replication.factor INT 1 - r
delegation.token.expiry.check.interval.ms LONG 3600000 1.. r
delegation.token.expiry.time.ms LONG 86400000 1.. r
delegation.token.max.lifetime.ms LONG 604800000 1.. r
delegation.token.secret.key PASSWORD ~ - r
delete.records.purgatory.purge.interval.requests INT 1 - r
delete.topic.enable BOOLEAN true - r
early.start.listeners LIST ~ - r
fetch.max.bytes INT 57671680 1024.. r
fetch.purgatory.purge.interval.requests INT 1000 - r
follower.fetch.last.tiered.offset.enable BOOLEAN false - c
follower.replication.throttled.rate LONG 9223372036854775807 0.. c
group.consumer.assignment.interval.ms INT 1000 0.. c
group.consumer.assignors LIST uniform,range - r
group.consumer.heartbeat.interval.ms INT 5000 1.. r
group.consumer.max.assignment.interval.ms INT 15000 0.. r
group.consumer.max.heartbeat.interval.ms INT 15000 1.. r
group.consumer.max.session.timeout.ms INT 60000 1.. r
group.consumer.max.size INT 2147483647 1.. r
group.consumer.migration.policy STRING bidirectional any-case:DISABLED|DOWNGRADE|UPGRADE|BIDIRECTIONAL r
group.consumer.min.assignment.interval.ms INT 0 0.. r
group.consumer.min.heartbeat.interval.ms INT 5000 1.. r
group.consumer.min.session.timeout.ms INT 45000 1.. r
group.consumer.session.timeout.ms INT 45000 1.. r
group.coordinator.append.linger.ms INT -1 -1.. r
group.coordinator.background.threads INT 2 1.. r
group.coordinator.cached.buffer.max.bytes INT 1048588 524288.. c
group.coordinator.rebalance.protocols LIST classic,consumer,streams of:consumer|classic|share|streams r
group.coordinator.threads INT 4 1.. r
group.initial.rebalance.delay.ms INT 3000 - r
group.max.session.timeout.ms INT 1800000 - r
group.max.size INT 2147483647 1.. r
group.min.session.timeout.ms INT 6000 - r
group.share.assignment.interval.ms INT 1000 0.. c
group.share.assignors LIST simple - r
group.share.delivery.count.limit INT 5 2..10 r
group.share.heartbeat.interval.ms INT 5000 1.. r
group.share.max.assignment.interval.ms INT 15000 0.. r
group.share.max.delivery.count.limit INT 10 5..25 r
group.share.max.heartbeat.interval.ms INT 15000 1.. r
group.share.max.partition.max.record.locks INT 4000 2000..10000 r
group.share.max.record.lock.duration.ms INT 60000 30000..3600000 r
group.share.max.session.timeout.ms INT 60000 1.. r
group.share.max.share.sessions INT 2000 1.. r
group.share.max.size INT 200 1..1000 r
group.share.min.assignment.interval.ms INT 0 0.. r
group.share.min.delivery.count.limit INT 2 2..5 r
group.share.min.heartbeat.interval.ms INT 5000 1.. r
group.share.min.partition.max.record.locks INT 100 100..2000 r
group.share.min.record.lock.duration.ms INT 15000 1000..30000 r
group.share.min.session.timeout.ms INT 45000 1.. r
group.share.partition.max.record.locks INT 2000 100..10000 r
group.share.record.lock.duration.ms INT 30000 1000..3600000 r
group.share.session.timeout.ms INT 45000 1.. r
group.streams.assignment.interval.ms INT 1000 0.. c
group.streams.heartbeat.interval.ms INT 5000 1.. r
group.streams.initial.rebalance.delay.ms INT 3000 0.. r
group.streams.max.assignment.interval.ms INT 15000 0.. r
group.streams.max.heartbeat.interval.ms INT 15000 1.. r
group.streams.max.session.timeout.ms INT 60000 1.. r
group.streams.max.size INT 2147483647 1.. r
group.streams.max.standby.replicas INT 2 0.. r
group.streams.min.assignment.interval.ms INT 0 0.. r
group.streams.min.heartbeat.interval.ms INT 5000 1.. r
group.streams.min.session.timeout.ms INT 45000 1.. r
group.streams.num.standby.replicas INT 0 0.. r
group.streams.session.timeout.ms INT 45000 1.. r
initial.broker.registration.timeout.ms INT 60000 - r
inter.broker.listener.name STRING ~ - r
kafka.metrics.polling.interval.secs INT 10 1.. r
kafka.metrics.reporters LIST "" - r
leader.imbalance.check.interval.seconds LONG 300 1.. r
leader.replication.throttled.rate LONG 9223372036854775807 0.. c
listener.security.protocol.map STRING SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT - p
listeners LIST PLAINTEXT://:9092 - p
log.cleaner.backoff.ms LONG 15000 0.. c
log.cleaner.dedupe.buffer.size LONG 134217728 - c
log.cleaner.delete.retention.ms LONG 86400000 0.. c
log.cleaner.enable BOOLEAN true - r
log.cleaner.io.buffer.load.factor DOUBLE 0.9 - c
log.cleaner.io.buffer.size INT 524288 0.. c
log.cleaner.io.max.bytes.per.second DOUBLE 1.7976931348623157E308 - c
log.cleaner.max.compaction.lag.ms LONG 9223372036854775807 1.. c
log.cleaner.min.cleanable.ratio DOUBLE 0.5 0..1 c
log.cleaner.min.compaction.lag.ms LONG 0 0.. c
log.cleaner.threads INT 1 0.. c
log.cleanup.policy LIST delete of:compact|delete c
log.dir LIST /tmp/kafka-logs - r
log.dir.failure.timeout.ms LONG 30000 1.. r
log.dirs LIST ~ - r
log.flush.interval.messages LONG 9223372036854775807 1.. c
log.flush.interval.ms LONG ~ - c
log.flush.offset.checkpoint.interval.ms INT 60000 0.. r
log.flush.scheduler.interval.ms LONG 9223372036854775807 - r
log.flush.start.offset.checkpoint.interval.ms INT 60000 0.. r
log.index.interval.bytes INT 4096 0.. c
log.index.size.max.bytes INT 10485760 4.. c
log.local.retention.bytes LONG -2 -2.. c
log.local.retention.ms LONG -2 -2.. c
log.message.timestamp.after.max.ms LONG 3600000 0.. c
log.message.timestamp.before.max.ms LONG 9223372036854775807 0.. c
log.message.timestamp.type STRING CreateTime one:CreateTime|LogAppendTime c
log.preallocate BOOLEAN false - c
log.retention.bytes LONG -1 - c
log.retention.check.interval.ms LONG 300000 1.. r
log.retention.hours INT 168 - r
log.retention.minutes INT ~ - r
log.retention.ms LONG ~ - c
log.roll.hours INT 168 1.. r
log.roll.jitter.hours INT 0 0.. r
log.roll.jitter.ms LONG ~ - c
log.roll.ms LONG ~ - c
log.segment.bytes INT 1073741824 1048576.. c
log.segment.delete.delay.ms LONG 60000 0.. c
max.connection.creation.rate INT 2147483647 0.. c
max.connections INT 2147483647 0.. c
max.connections.per.ip INT 2147483647 0.. c
max.connections.per.ip.overrides STRING "" - c
max.incremental.fetch.session.cache.slots INT 1000 0.. r
max.request.partition.size.limit INT 2000 1.. r
message.max.bytes INT 1048588 0.. c
metadata.log.dir STRING ~ - r
metadata.log.max.record.bytes.between.snapshots LONG 20971520 1.. r
metadata.log.max.snapshot.interval.ms LONG 3600000 0.. r
metadata.log.segment.bytes INT 1073741824 8388608.. r
metadata.log.segment.ms LONG 604800000 - r
metadata.max.idle.interval.ms INT 500 0.. r
metadata.max.retention.bytes LONG 104857600 - r
metadata.max.retention.ms LONG 604800000 - r
metric.reporters LIST org.apache.kafka.common.metrics.JmxReporter - c
metrics.num.samples INT 2 1.. r
metrics.recording.level STRING INFO - r
metrics.sample.window.ms LONG 30000 1.. r
min.insync.replicas INT 1 1.. c
node.id INT ! 0.. r
num.io.threads INT 8 1.. c
num.network.threads INT 3 1.. c
num.partitions INT 1 1.. r
num.recovery.threads.per.data.dir INT 2 1.. c
num.replica.alter.log.dirs.threads INT ~ - r
num.replica.fetchers INT 1 1.. c
offset.metadata.max.bytes INT 4096 - r
offsets.commit.timeout.ms INT 5000 1.. r
offsets.load.buffer.size INT 5242880 1.. r
offsets.retention.check.interval.ms LONG 600000 1.. r
offsets.retention.minutes INT 10080 1.. r
offsets.topic.compression.codec INT 0 - r
offsets.topic.num.partitions INT 50 1.. r
offsets.topic.replication.factor SHORT 3 1.. r
offsets.topic.segment.bytes INT 104857600 1.. r
principal.builder.class CLASS org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder - p
process.roles LIST ! of:broker|controller r
producer.id.expiration.ms INT 86400000 1.. c
producer.purgatory.purge.interval.requests INT 1000 - r
queued.max.request.bytes LONG -1 - r
queued.max.requests INT 500 1.. r
quota.window.num INT 11 1.. r
quota.window.size.seconds INT 1 1.. r
remote.fetch.max.wait.ms INT 500 1.. c
remote.list.offsets.request.timeout.ms LONG 30000 1.. c
remote.log.index.file.cache.total.size.bytes LONG 1073741824 1.. c
remote.log.manager.copier.thread.pool.size INT 10 1.. c
remote.log.manager.copy.max.bytes.per.second LONG 9223372036854775807 1.. c
remote.log.manager.copy.quota.window.num INT 11 1.. r
remote.log.manager.copy.quota.window.size.seconds INT 1 1.. r
remote.log.manager.expiration.thread.pool.size INT 10 1.. c
remote.log.manager.fetch.max.bytes.per.second LONG 9223372036854775807 1.. c
remote.log.manager.fetch.quota.window.num INT 11 1.. r
remote.log.manager.fetch.quota.window.size.seconds INT 1 1.. r
remote.log.manager.follower.thread.pool.size INT 2 1.. c
remote.log.manager.task.interval.ms LONG 30000 1.. r
remote.log.manager.thread.pool.size INT 2 1.. r
remote.log.metadata.custom.metadata.max.bytes INT 128 0.. r
remote.log.metadata.manager.class.name STRING org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager filled r
remote.log.metadata.manager.class.path STRING ~ - r
remote.log.metadata.manager.impl.prefix STRING rlmm.config. filled r
remote.log.metadata.manager.listener.name STRING ~ filled r
remote.log.reader.max.pending.tasks INT 100 1.. r
remote.log.reader.threads INT 10 1.. c
remote.log.storage.manager.class.name STRING ~ filled r
remote.log.storage.manager.class.path STRING ~ - r
remote.log.storage.manager.impl.prefix STRING rsm.config. filled r
remote.log.storage.system.enable BOOLEAN false - r
replica.alter.log.dirs.io.max.bytes.per.second LONG 9223372036854775807 0.. c
replica.fetch.backoff.ms INT 1000 0.. r
replica.fetch.max.bytes INT 1048576 0.. r
replica.fetch.min.bytes INT 1 - r
replica.fetch.response.max.bytes INT 10485760 0.. r
replica.fetch.wait.max.ms INT 500 - r
replica.high.watermark.checkpoint.interval.ms LONG 5000 - r
replica.lag.time.max.ms LONG 30000 - r
replica.selector.class STRING ~ - r
replica.socket.receive.buffer.bytes INT 65536 - r
replica.socket.timeout.ms INT 30000 - r
replication.quota.window.num INT 11 1.. r
replication.quota.window.size.seconds INT 1 1.. r
request.timeout.ms INT 30000 - r
sasl.client.callback.handler.class CLASS ~ - r
sasl.enabled.mechanisms LIST GSSAPI - p
sasl.jaas.config PASSWORD ~ - p
sasl.kerberos.kinit.cmd STRING /usr/bin/kinit - p
sasl.kerberos.min.time.before.relogin LONG 60000 - p
sasl.kerberos.principal.to.local.rules LIST DEFAULT - p
sasl.kerberos.service.name STRING ~ - p
sasl.kerberos.ticket.renew.jitter DOUBLE 0.05 - p
sasl.kerberos.ticket.renew.window.factor DOUBLE 0.8 - p
sasl.login.callback.handler.class CLASS ~ - r
sasl.login.class CLASS ~ - r
sasl.login.connect.timeout.ms INT ~ - r
sasl.login.read.timeout.ms INT ~ - r
sasl.login.refresh.buffer.seconds SHORT 300 - p
sasl.login.refresh.min.period.seconds SHORT 60 - p
sasl.login.refresh.window.factor DOUBLE 0.8 - p
sasl.login.refresh.window.jitter DOUBLE 0.05 - p
sasl.login.retry.backoff.max.ms LONG 10000 - r
sasl.login.retry.backoff.ms LONG 100 - r
sasl.mechanism.controller.protocol STRING GSSAPI - r
sasl.mechanism.inter.broker.protocol STRING GSSAPI - p
sasl.oauthbearer.assertion.algorithm STRING RS256 any-case:ES256|RS256 r
sasl.oauthbearer.assertion.claim.aud STRING ~ - r
sasl.oauthbearer.assertion.claim.exp.seconds INT 300 0..86400 r
sasl.oauthbearer.assertion.claim.iss STRING ~ - r
sasl.oauthbearer.assertion.claim.jti.include BOOLEAN false - r
sasl.oauthbearer.assertion.claim.nbf.seconds INT 60 0..3600 r
sasl.oauthbearer.assertion.claim.sub STRING ~ - r
sasl.oauthbearer.assertion.file STRING ~ - r
sasl.oauthbearer.assertion.private.key.file STRING ~ - r
sasl.oauthbearer.assertion.private.key.passphrase PASSWORD ~ - r
sasl.oauthbearer.assertion.template.file STRING ~ - r
sasl.oauthbearer.client.credentials.client.id STRING ~ - r
sasl.oauthbearer.client.credentials.client.secret PASSWORD ~ - r
sasl.oauthbearer.clock.skew.seconds INT 30 - r
sasl.oauthbearer.expected.audience LIST "" - r
sasl.oauthbearer.expected.issuer STRING ~ - r
sasl.oauthbearer.jwks.endpoint.refresh.ms LONG 3600000 - r
sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms LONG 10000 - r
sasl.oauthbearer.jwks.endpoint.retry.backoff.ms LONG 100 - r
sasl.oauthbearer.jwks.endpoint.url STRING ~ - r
sasl.oauthbearer.jwt.retriever.class CLASS org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever - r
sasl.oauthbearer.jwt.validator.class CLASS org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator - r
sasl.oauthbearer.scope STRING ~ - r
sasl.oauthbearer.scope.claim.name STRING scope - r
sasl.oauthbearer.sub.claim.name STRING sub - r
sasl.oauthbearer.token.endpoint.url STRING ~ - r
sasl.server.callback.handler.class CLASS ~ - r
sasl.server.max.receive.size INT 524288 - r
security.inter.broker.protocol STRING PLAINTEXT one:PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL r
security.providers STRING ~ - r
share.coordinator.append.linger.ms INT -1 -1.. r
share.coordinator.cached.buffer.max.bytes INT 1048588 524288.. c
share.coordinator.load.buffer.size INT 5242880 1.. r
share.coordinator.snapshot.update.records.per.snapshot INT 500 0..500 r
share.coordinator.state.topic.compression.codec INT 0 - r
share.coordinator.state.topic.min.isr SHORT 2 1.. r
share.coordinator.state.topic.num.partitions INT 50 1.. r
share.coordinator.state.topic.replication.factor SHORT 3 1.. r
share.coordinator.state.topic.segment.bytes INT 104857600 1.. r
share.coordinator.threads INT 1 1.. r
share.coordinator.write.timeout.ms INT 5000 1.. r
share.fetch.purgatory.purge.interval.requests INT 1000 - r
socket.connection.setup.timeout.max.ms LONG 30000 - r
socket.connection.setup.timeout.ms LONG 10000 - r
socket.listen.backlog.size INT 50 1.. r
socket.receive.buffer.bytes INT 102400 - r
socket.request.max.bytes INT 104857600 1.. r
socket.send.buffer.bytes INT 102400 - r
ssl.allow.dn.changes BOOLEAN false - r
ssl.allow.san.changes BOOLEAN false - r
ssl.cipher.suites LIST "" - p
ssl.client.auth STRING none one:required|requested|none p
ssl.enabled.protocols LIST TLSv1.2,TLSv1.3 - p
ssl.endpoint.identification.algorithm STRING https - p
ssl.engine.factory.class CLASS ~ - p
ssl.key.password PASSWORD ~ - p
ssl.keymanager.algorithm STRING SunX509 - p
ssl.keystore.certificate.chain PASSWORD ~ - p
ssl.keystore.key PASSWORD ~ - p
ssl.keystore.location STRING ~ - p
ssl.keystore.password PASSWORD ~ - p
ssl.keystore.type STRING JKS - p
ssl.principal.mapping.rules STRING DEFAULT - r
ssl.protocol STRING TLSv1.3 - p
ssl.provider STRING ~ - p
ssl.secure.random.implementation STRING ~ - p
ssl.trustmanager.algorithm STRING PKIX - p
ssl.truststore.certificates PASSWORD ~ - p
ssl.truststore.location STRING ~ - p
ssl.truststore.password PASSWORD ~ - p
ssl.truststore.type STRING JKS - p
telemetry.max.bytes INT 1048576 1.. r
transaction.abort.timed.out.transaction.cleanup.interval.ms INT 10000 1.. r
transaction.max.timeout.ms INT 900000 1.. r
transaction.partition.verification.enable BOOLEAN true - c
transaction.remove.expired.transaction.cleanup.interval.ms INT 3600000 1.. r
transaction.state.log.load.buffer.size INT 5242880 1.. r
transaction.state.log.min.isr INT 2 1.. r
transaction.state.log.num.partitions INT 50 1.. r
transaction.state.log.replication.factor SHORT 3 1.. r
transaction.state.log.segment.bytes INT 104857600 1.. r
transaction.two.phase.commit.enable BOOLEAN false - r
transactional.id.expiration.ms INT 604800000 1.. r
unclean.leader.election.enable BOOLEAN false - c
"""

TOPIC_PROPERTIES = """\
cleanup.policy LIST delete of:compact|delete log.cleanup.policy
compression.gzip.level INT -1 1..9|-1 compression.gzip.level
compression.lz4.level INT 9 1..17 compression.lz4.level
compression.type STRING producer one:uncompressed|zstd|lz4|snappy|gzip|producer compression.type
compression.zstd.level INT 3 -131072..22 compression.zstd.level
delete.retention.ms LONG 86400000 0.. log.cleaner.delete.retention.ms
file.delete.delay.ms LONG 60000 0.. log.segment.delete.delay.ms
flush.messages LONG 9223372036854775807 1.. log.flush.interval.messages
flush.ms LONG 9223372036854775807 0.. log.flush.interval.ms,log.flush.scheduler.interval.ms
follower.replication.throttled.replicas LIST "" throttled -
index.interval.bytes INT 4096 0.. log.index.interval.bytes
leader.replication.throttled.replicas LIST "" throttled -
local.retention.bytes LONG -2 -2.. log.local.retention.bytes
local.retention.ms LONG -2 -2.. log.local.retention.ms
max.compaction.lag.ms LONG 9223372036854775807 1.. log.cleaner.max.compaction.lag.ms
max.message.bytes INT 1048588 0.. message.max.bytes
message.timestamp.after.max.ms LONG 3600000 0.. log.message.timestamp.after.max.ms
message.timestamp.before.max.ms LONG 9223372036854775807 0.. log.message.timestamp.before.max.ms
message.timestamp.type STRING CreateTime one:CreateTime|LogAppendTime log.message.timestamp.type
min.cleanable.dirty.ratio DOUBLE 0.5 0..1 log.cleaner.min.cleanable.ratio
min.compaction.lag.ms LONG 0 0.. log.cleaner.min.compaction.lag.ms
min.insync.replicas INT 1 1.. min.insync.replicas
preallocate BOOLEAN false - log.preallocate
remote.log.copy.disable BOOLEAN false - -
remote.log.delete.on.disable BOOLEAN false - -
remote.storage.enable BOOLEAN false - -
retention.bytes LONG -1 - log.retention.bytes
retention.ms LONG 604800000 -1.. log.retention.ms,log.retention.minutes*60000,log.retention.hours*3600000
segment.bytes INT 1073741824 1048576.. log.segment.bytes
segment.index.bytes INT 10485760 4.. log.index.size.max.bytes
segment.jitter.ms LONG 0 0.. log.roll.jitter.ms,log.roll.jitter.hours*3600000
segment.ms LONG 604800000 1.. log.roll.ms,log.roll.hours*3600000
unclean.leader.election.enable BOOLEAN false - unclean.leader.election.enable
"""

GROUP_PROPERTIES = """\
consumer.assignment.interval.ms INT 1000 0..
consumer.heartbeat.interval.ms INT 5000 1..
consumer.session.timeout.ms INT 45000 1..
share.assignment.interval.ms INT 1000 0..
share.auto.offset.reset STRING latest offset-reset
share.delivery.count.limit INT 5 2..
share.heartbeat.interval.ms INT 5000 1..
share.isolation.level STRING read_uncommitted one:read_committed|read_uncommitted
share.partition.max.record.locks INT 2000 100..
share.record.lock.duration.ms INT 30000 1000..
share.renew.acknowledge.enable BOOLEAN true -
share.session.timeout.ms INT 45000 1..
streams.assignment.interval.ms INT 1000 0..
streams.heartbeat.interval.ms INT 5000 1..
streams.initial.rebalance.delay.ms INT 3000 0..
streams.num.standby.replicas INT 0 0..
streams.session.timeout.ms INT 45000 1..
"""
