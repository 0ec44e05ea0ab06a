import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.Message;
import software.amazon.awssdk.services.sqs.model.MessageAttributeValue;
import software.amazon.awssdk.services.sqs.model.QueueDoesNotExistException;
import software.amazon.awssdk.services.sts.StsClient;

/** A queue's life with the AWS SDK for Java: prints "ok" when every step answered as AWS would. */
public final class QueueLife {
    public static void main(String[] arguments) {
        URI endpoint = URI.create(System.getenv("AWS_ENDPOINT_URL"));
        try (var http = UrlConnectionHttpClient.create();
             var sts = StsClient.builder().endpointOverride(endpoint).httpClient(http).build();
             var sqs = SqsClient.builder().endpointOverride(endpoint).httpClient(http).build()) {
            expect(sts.getCallerIdentity().account().length() == 12, "account");
            String name = "java-" + ProcessHandle.current().pid();
            String url = sqs.createQueue(request -> request.queueName(name)).queueUrl();
            var attribute = MessageAttributeValue.builder().dataType("Number").stringValue("42").build();
            for (String body : List.of("1", "2", "grüße ☃")) {
                sqs.sendMessage(request -> request.queueUrl(url).messageBody(body)
                    .messageAttributes(Map.of("answer", attribute)));
            }
            var bodies = new TreeSet<String>();
            while (bodies.size() < 3) {
                List<Message> messages = sqs.receiveMessage(request -> request.queueUrl(url)
                    .maxNumberOfMessages(10).waitTimeSeconds(5).messageAttributeNames("All")).messages();
                expect(!messages.isEmpty(), "nothing received");
                for (Message message : messages) {
                    expect(message.messageAttributes().get("answer").stringValue().equals("42"), "attribute");
                    bodies.add(message.body());
                    sqs.deleteMessage(request -> request.queueUrl(url).receiptHandle(message.receiptHandle()));
                }
            }
            sqs.deleteQueue(request -> request.queueUrl(url));
            try {
                sqs.getQueueUrl(request -> request.queueName(name));
                throw new AssertionError("the queue is still there");
            } catch (QueueDoesNotExistException gone) {
                System.out.println("ok");
            }
        }
    }

    private static void expect(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }
}
