// kafkajs: a topic's life, a group, a transaction. Prints "ok".
const { Kafka, logLevel } = require("kafkajs");
const assert = require("node:assert");

const topic = "kafkajs";
const kafka = new Kafka({ clientId: "kafkajs", brokers: [process.env.KAFKA_BOOTSTRAP_SERVERS], logLevel: logLevel.ERROR });

async function main() {
  const admin = kafka.admin();
  await admin.connect();
  assert(await admin.createTopics({ topics: [{ topic, numPartitions: 3 }], waitForLeaders: true }));
  const producer = kafka.producer({ idempotent: true });
  await producer.connect();
  const messages = [...Array(100).keys()].map((n) => ({ key: `k${n}`, value: `v${n}`, headers: { h: "x" } }));
  await producer.send({ topic, messages });
  await producer.disconnect();

  const transactional = kafka.producer({ transactionalId: "kafkajs", idempotent: true, maxInFlightRequests: 1 });
  await transactional.connect();
  const kept = await transactional.transaction();
  await kept.send({ topic, messages: [{ value: "kept" }] });
  await kept.commit();
  const dropped = await transactional.transaction();
  await dropped.send({ topic, messages: [{ value: "dropped" }] });
  await dropped.abort();
  await transactional.disconnect();

  const consumer = kafka.consumer({ groupId: "kafkajs" });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const seen = new Set();
  await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`only ${seen.size} records`)), 30000).unref();
    consumer.run({
      eachMessage: async ({ message }) => {
        seen.add(message.value.toString());
        if (seen.size === 101) resolve();
      },
    });
  });
  assert(seen.has("kept") && !seen.has("dropped"));
  await consumer.disconnect();
  const offsets = await admin.fetchOffsets({ groupId: "kafkajs", topics: [topic] });
  const committed = offsets[0].partitions.reduce((sum, one) => sum + Math.max(Number(one.offset), 0), 0);
  assert(committed >= 101, `committed ${committed}`);
  const described = await admin.describeConfigs({ resources: [{ type: 2, name: topic }] });
  assert.strictEqual(described.resources[0].errorCode, 0);
  await admin.deleteTopics({ topics: [topic] });
  await admin.disconnect();
  console.log("ok");
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
