// Every kind of call through grpc-js, which speaks HTTP/2 by Node's own library; messages are plain bytes.
import assert from "node:assert/strict";
import grpc from "@grpc/grpc-js";

const same = (bytes) => bytes;
const method = (name, requestStream, responseStream) => ({
  path: `/test.T/${name}`,
  requestStream,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});
const Client = grpc.makeGenericClientConstructor({
  Echo: method("Echo", false, false),
  Later: method("Later", false, false),
  Refuse: method("Refuse", false, false),
  Hang: method("Hang", false, false),
  Count: method("Count", false, true),
  Chat: method("Chat", true, true),
});
const client = new Client(process.argv[2], grpc.credentials.createInsecure());

const unary = (name, message, options = {}) =>
  new Promise((resolve, reject) =>
    client[name](message, new grpc.Metadata(), options, (error, reply) => (error ? reject(error) : resolve(reply))),
  );
const all = (stream) =>
  new Promise((resolve, reject) => {
    const found = [];
    stream.on("data", (message) => found.push(message));
    stream.on("error", reject);
    stream.on("end", () => resolve(found));
  });

for (let n = 0; n < 3; n++) assert.equal((await unary("Echo", Buffer.alloc(1 << 20))).length, 1 << 20);
const numbers = [...Array(200).keys()].map(String);
const replies = await Promise.all(numbers.map((n) => unary("Later", Buffer.from(n))));
assert.deepEqual(replies.map(String), numbers);
const refused = await unary("Refuse", Buffer.from("nö %")).catch((error) => error);
assert.deepEqual([refused.code, refused.details], [grpc.status.NOT_FOUND, "nö %"]);
const late = await unary("Hang", Buffer.from(""), { deadline: Date.now() + 200 }).catch((error) => error);
assert.equal(late.code, grpc.status.DEADLINE_EXCEEDED);
assert.deepEqual((await all(client.Count(Buffer.from("4")))).map(String), ["0", "1", "2", "3"]);
const chat = client.Chat();
for (let n = 0; n < 3; n++) chat.write(Buffer.alloc(1_000_000));
chat.end();
assert.deepEqual((await all(chat)).map((message) => message.length), [1_000_000, 1_000_000, 1_000_000]);
client.close();
console.log("ok");
