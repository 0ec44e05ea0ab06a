import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.InvalidProducerEpochException;

/** Transactions by Kafka's own client: ADDRESS SOURCE TARGET GROUP COUNT. Says what it sees, a line each. */
public class ExactlyOnce {
    static final String STRING = "org.apache.kafka.common.serialization.String";
    static String address;

    public static void main(String[] words) throws Exception {
        address = words[0];
        String source = words[1], target = words[2], group = words[3];
        int count = Integer.parseInt(words[4]);
        fill(source, count);
        copy(source, target, group, count);
        System.out.println("copied " + read(target, "read_committed", count).size());
        System.out.println("uncommitted " + (read(target, "read_uncommitted", count).size() > count));
        fence(target + "-fenced");
        System.exit(0);
    }

    static KafkaProducer<String, String> producer(String id) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", address);
        settings.put("key.serializer", STRING + "Serializer");
        settings.put("value.serializer", STRING + "Serializer");
        if (id != null) settings.put("transactional.id", id);
        return new KafkaProducer<>(settings);
    }

    static KafkaConsumer<String, String> consumer(String group, String isolation) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", address);
        settings.put("key.deserializer", STRING + "Deserializer");
        settings.put("value.deserializer", STRING + "Deserializer");
        settings.put("group.id", group);
        settings.put("isolation.level", isolation);
        settings.put("enable.auto.commit", "false");
        settings.put("auto.offset.reset", "earliest");
        settings.put("max.poll.records", "10");
        return new KafkaConsumer<>(settings);
    }

    static void fill(String topic, int count) {
        try (KafkaProducer<String, String> producer = producer(null)) {
            for (int number = 0; number < count; number++)
                producer.send(new ProducerRecord<>(topic, "k" + number, "" + number));
        }
    }

    /** Consume, transform, produce: every third transaction is aborted and done again. */
    static void copy(String source, String target, String group, int count) {
        try (KafkaProducer<String, String> producer = producer(group + "-copy");
                KafkaConsumer<String, String> consumer = consumer(group, "read_committed")) {
            producer.initTransactions();
            consumer.subscribe(List.of(source));
            int done = 0;
            for (int turn = 0; done < count; turn++) {
                Map<TopicPartition, OffsetAndMetadata> ends = new HashMap<>();
                Map<TopicPartition, Long> starts = new HashMap<>();
                var records = consumer.poll(Duration.ofSeconds(1));
                if (records.isEmpty()) continue;
                producer.beginTransaction();
                for (ConsumerRecord<String, String> record : records) {
                    var place = new TopicPartition(record.topic(), record.partition());
                    starts.putIfAbsent(place, record.offset());
                    ends.put(place, new OffsetAndMetadata(record.offset() + 1));
                    producer.send(new ProducerRecord<>(target, record.key(), "copy of " + record.value()));
                }
                producer.sendOffsetsToTransaction(ends, consumer.groupMetadata());
                if (turn % 3 == 2) {
                    producer.flush();
                    producer.abortTransaction();
                    starts.forEach(consumer::seek);
                    continue;
                }
                producer.commitTransaction();
                done += records.count();
            }
        }
    }

    static List<String> read(String topic, String isolation, int count) {
        List<String> found = new ArrayList<>();
        try (KafkaConsumer<String, String> consumer = consumer(topic + "-" + isolation, isolation)) {
            consumer.subscribe(List.of(topic));
            int quiet = 0;
            while (quiet < 3) {
                var records = consumer.poll(Duration.ofMillis(500));
                quiet = records.isEmpty() && !consumer.assignment().isEmpty() ? quiet + 1 : 0;
                for (ConsumerRecord<String, String> record : records) found.add(record.value());
            }
        }
        return found;
    }

    static void fence(String topic) throws Exception {
        KafkaProducer<String, String> first = producer("fenced");
        first.initTransactions();
        first.beginTransaction();
        first.send(new ProducerRecord<>(topic, "of the first")).get();
        KafkaProducer<String, String> second = producer("fenced");
        second.initTransactions();
        try {
            first.send(new ProducerRecord<>(topic, "too late"));
            first.commitTransaction();
            System.out.println("not fenced");
        } catch (ProducerFencedException | InvalidProducerEpochException fenced) {
            System.out.println("fenced");
        } catch (KafkaException other) {
            System.out.println("refused " + other);
        }
        second.beginTransaction();
        second.send(new ProducerRecord<>(topic, "of the second")).get();
        second.commitTransaction();
        System.out.println("left " + read(topic, "read_committed", 1));
        first.close(Duration.ZERO);
        second.close();
    }
}
