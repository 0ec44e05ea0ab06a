import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * A member of a consumer group with the settings that people write down first. It ends when nothing has come for as
 * many milliseconds as its argument says. A second argument "consumer" chooses the newer group protocol.
 */
public final class OrderConsumer {
    public static void main(String[] arguments) {
        Properties settings = new Properties();
        settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("KAFKA_BOOTSTRAP_SERVERS"));
        settings.put(ConsumerConfig.CLIENT_ID_CONFIG, "kitchen");
        settings.put(ConsumerConfig.GROUP_ID_CONFIG, arguments.length > 1 ? "kitchen-" + arguments[1] : "kitchen");
        settings.put(ConsumerConfig.GROUP_PROTOCOL_CONFIG, arguments.length > 1 ? arguments[1] : "classic");
        settings.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
        settings.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, StringDeserializer.class.getName());
        settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, true);
        settings.put(ConsumerConfig.AUTO_COMMIT_INTERVAL_MS_CONFIG, 1000);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");

        long idleMs = Long.parseLong(arguments[0]);
        try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
            consumer.subscribe(List.of("orders"));
            long heardMs = System.currentTimeMillis();
            while (System.currentTimeMillis() - heardMs < idleMs) {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
                for (ConsumerRecord<String, String> record : records) {
                    System.out.println(record.partition() + ":" + record.offset() + " " + record.key() + " " + record.value());
                    heardMs = System.currentTimeMillis();
                }
            }
        } // closing commits, and leaves the group
    }
}
