import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** A producer with the settings that people write down first. Argument: how many orders. */
public final class OrderProducer {
    public static void main(String[] arguments) {
        Properties settings = new Properties();
        settings.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, System.getenv("KAFKA_BOOTSTRAP_SERVERS"));
        settings.put(ProducerConfig.CLIENT_ID_CONFIG, "shop");
        settings.put(ProducerConfig.KEY_SERIALIZER_CLASS_CONFIG, StringSerializer.class.getName());
        settings.put(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG, StringSerializer.class.getName());

        int orders = Integer.parseInt(arguments[0]);
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(settings)) {
            for (int number = 0; number < orders; number++) {
                producer.send(new ProducerRecord<>("orders", "customer-" + number % 10, "coffee " + number));
            }
        } // closing sends what is left
        System.out.println("sent " + orders + " orders");
    }
}
