// A queue's life with the AWS SDK for JavaScript: prints "ok" when every step answered as AWS would.
import assert from "node:assert/strict";
import {
  ChangeMessageVisibilityCommand, CreateQueueCommand, DeleteMessageCommand, DeleteQueueCommand, GetQueueUrlCommand,
  QueueDoesNotExist, ReceiveMessageCommand, SendMessageBatchCommand, SendMessageCommand, SQSClient,
} from "@aws-sdk/client-sqs";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const sqs = new SQSClient({});
const identity = await new STSClient({}).send(new GetCallerIdentityCommand({}));
assert.match(identity.Account, /^\d{12}$/);

const name = `node-${process.pid}`;
const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: name }));
assert.equal((await sqs.send(new GetQueueUrlCommand({ QueueName: name }))).QueueUrl, QueueUrl);

// The SDK checks the MD5 of each body by itself and throws where it differs.
await sqs.send(new SendMessageCommand({
  QueueUrl, MessageBody: "grüße ☃", MessageAttributes: { kind: { DataType: "String", StringValue: "greeting" } },
}));
const batch = await sqs.send(new SendMessageBatchCommand({
  QueueUrl, Entries: [{ Id: "a", MessageBody: "1" }, { Id: "b", MessageBody: "2" }],
}));
assert.equal(batch.Successful.length, 2);

const bodies = [];
while (bodies.length < 3) {
  const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({
    QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 5, MessageAttributeNames: ["All"],
  }));
  assert.notEqual(Messages.length, 0);
  for (const message of Messages) {
    bodies.push(message.Body);
    if (message.Body === "grüße ☃") assert.equal(message.MessageAttributes.kind.StringValue, "greeting");
    await sqs.send(new ChangeMessageVisibilityCommand({
      QueueUrl, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 60,
    }));
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
  }
}
assert.deepEqual(bodies.sort(), ["1", "2", "grüße ☃"]);
await sqs.send(new DeleteQueueCommand({ QueueUrl }));
await assert.rejects(sqs.send(new GetQueueUrlCommand({ QueueName: name })), QueueDoesNotExist);
console.log("ok");
