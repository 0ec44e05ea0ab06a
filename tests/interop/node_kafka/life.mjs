// A topic's life with KafkaJS: made, written, read by a group, written in transactions, described, deleted.
// Prints "ok" when every step answered as Kafka would.
import assert from "node:assert/strict";
import { Kafka, logLevel } from "kafkajs";

const kafka = new Kafka({
  clientId: "kafkajs",
  brokers: [process.env.KAFKA_BOOTSTRAP_SERVERS],
  logLevel: logLevel.ERROR,
});
const topic = "kafkajs-life";
const group = "kafkajs-group";

const admin = kafka.admin();
await admin.connect();
assert.equal(await admin.createTopics({ topics: [{ topic, numPartitions: 3 }], waitForLeaders: true }), true);
const [described] = (await admin.fetchTopicMetadata({ topics: [topic] })).topics;
assert.equal(described.partitions.length, 3);

const producer = kafka.producer({ idempotent: true });
await producer.connect();
const messages = Array.from({ length: 300 }, (_, n) => ({ key: `k${n % 7}`, value: `v${n}` }));
await producer.send({ topic, messages });

async function read(count) {
  const consumer = kafka.consumer({ groupId: group, sessionTimeout: 10_000 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const seen = [];
  await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`only ${seen.length} of ${count} came`)), 30_000);
    consumer.run({
      eachMessage: async ({ message }) => {
        seen.push(message.value.toString());
        if (seen.length === count) {
          clearTimeout(late);
          resolve();
        }
      },
    });
  });
  await consumer.disconnect();
  return seen;
}

const first = await read(300);
assert.deepEqual(new Set(first), new Set(messages.map((each) => each.value)));

const transactional = kafka.producer({ transactionalId: "kafkajs-tx", maxInFlightRequests: 1, idempotent: true });
await transactional.connect();
const aborted = await transactional.transaction();
await aborted.send({ topic, messages: [{ value: "aborted" }] });
await aborted.abort();
const committed = await transactional.transaction();
await committed.send({ topic, messages: [{ value: "committed" }] });
await committed.commit();
assert.deepEqual(await read(1), ["committed"]);

const offsets = await admin.fetchOffsets({ groupId: group, topics: [topic] });
const done = offsets[0].partitions.reduce((sum, each) => sum + Math.max(0, Number(each.offset)), 0);
assert.ok(done >= 301, `committed ${done}`);
const { groups } = await admin.describeGroups([group]);
assert.equal(groups[0].state, "Empty");
await admin.deleteGroups([group]);
await admin.deleteTopics({ topics: [topic] });
assert.ok(!(await admin.listTopics()).includes(topic));

await Promise.all([producer.disconnect(), transactional.disconnect(), admin.disconnect()]);
console.log("ok");
