import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ListGroupsOptions;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.ShareGroupDescription;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** Share groups by Kafka's own client: ADDRESS PREFIX STEP …; says what it sees, a line for each step. */
public class ShareConsumers {
    static final String STRING = "org.apache.kafka.common.serialization.String";
    static String address, prefix;
    static Admin admin;

    public static void main(String[] words) throws Exception {
        address = words[0];
        prefix = words[1];
        admin = Admin.create(Map.of("bootstrap.servers", address));
        for (int place = 2; place < words.length; place++) {
            String step = words[place];
            String said = switch (step) {
                case "implicit" -> implicit();
                case "explicit" -> explicit();
                case "together" -> together();
                case "timeout" -> timeout();
                case "limit" -> limit();
                case "renew" -> renew();
                case "exact" -> exact();
                case "committed" -> committed();
                case "latest" -> latest();
                case "begin" -> begin();
                case "resume" -> resume();
                case "admin" -> administer();
                default -> throw new IllegalArgumentException(step);
            };
            System.out.println(step + " " + said);
        }
        System.exit(0);
    }

    static String topic(String name, int partitions) throws Exception {
        String topic = prefix + "-" + name;
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1))).all().get();
        return topic;
    }

    static void configure(String group, String name, String value) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.GROUP, group);
        AlterConfigOp change = new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
    }

    static void earliest(String group) throws Exception {
        configure(group, "share.auto.offset.reset", "earliest");
    }

    static KafkaProducer<String, String> producer(String id) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", address);
        settings.put("key.serializer", STRING + "Serializer");
        settings.put("value.serializer", STRING + "Serializer");
        if (id != null) settings.put("transactional.id", id);
        return new KafkaProducer<>(settings);
    }

    static void fill(String topic, int first, int stop) {
        try (KafkaProducer<String, String> producer = producer(null)) {
            for (int number = first; number < stop; number++)
                producer.send(new ProducerRecord<>(topic, "k" + number, "" + number));
        }
    }

    static KafkaShareConsumer<String, String> consumer(String group, String topic, String... more) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", address);
        settings.put("key.deserializer", STRING + "Deserializer");
        settings.put("value.deserializer", STRING + "Deserializer");
        settings.put("group.id", group);
        for (int place = 0; place < more.length; place += 2) settings.put(more[place], more[place + 1]);
        KafkaShareConsumer<String, String> consumer = new KafkaShareConsumer<>(settings);
        consumer.subscribe(List.of(topic));
        return consumer;
    }

    static List<ConsumerRecord<String, String>> poll(KafkaShareConsumer<String, String> consumer) {
        List<ConsumerRecord<String, String>> found = new ArrayList<>();
        consumer.poll(Duration.ofMillis(500)).forEach(found::add);
        return found;
    }

    /** The first poll that brings something, within so many tries of half a second. */
    static List<ConsumerRecord<String, String>> wait(KafkaShareConsumer<String, String> consumer, int tries) {
        for (int turn = 0; turn < tries; turn++) {
            List<ConsumerRecord<String, String>> found = poll(consumer);
            if (!found.isEmpty()) return found;
        }
        return List.of();
    }

    static Set<Integer> numbers(Iterable<ConsumerRecord<String, String>> records) {
        Set<Integer> found = new TreeSet<>();
        records.forEach(record -> found.add(Integer.parseInt(record.value())));
        return found;
    }

    /** Whether a set is the numbers [0, count). */
    static boolean isAll(Set<Integer> found, int count) {
        return found.size() == count && (count == 0 || new TreeSet<>(found).last() == count - 1);
    }

    static String implicit() throws Exception {
        String topic = topic("implicit", 3), group = topic;
        earliest(group);
        fill(topic, 0, 300);
        Set<Integer> found = new TreeSet<>();
        int again = 0;
        try (KafkaShareConsumer<String, String> consumer = consumer(group, topic)) {
            for (int turn = 0; turn < 40 && found.size() < 300; turn++) found.addAll(numbers(poll(consumer)));
            consumer.commitSync();
            again = wait(consumer, 2).size();
        }
        try (KafkaShareConsumer<String, String> consumer = consumer(group, topic)) {
            fill(topic, 300, 310);
            Set<Integer> more = new TreeSet<>();
            for (int turn = 0; turn < 40 && more.size() < 10; turn++) more.addAll(numbers(poll(consumer)));
            return isAll(found, 300) + " again " + again + " then " + more;
        }
    }

    static String explicit() throws Exception {
        String topic = topic("explicit", 1), group = topic;
        earliest(group);
        fill(topic, 0, 20);
        try (KafkaShareConsumer<String, String> consumer =
                consumer(group, topic, "share.acknowledgement.mode", "explicit")) {
            List<ConsumerRecord<String, String>> first = wait(consumer, 40);
            for (ConsumerRecord<String, String> record : first) {
                int number = Integer.parseInt(record.value());
                consumer.acknowledge(record, number % 4 == 0 ? AcknowledgeType.RELEASE
                    : number % 4 == 1 ? AcknowledgeType.REJECT : AcknowledgeType.ACCEPT);
            }
            boolean isFine = consumer.commitSync().values().stream().allMatch(each -> each.isEmpty());
            Map<Integer, Short> second = new TreeMap<>();
            for (ConsumerRecord<String, String> record : wait(consumer, 20)) {
                second.put(Integer.parseInt(record.value()), record.deliveryCount().get());
                consumer.acknowledge(record);
            }
            consumer.commitSync();
            return first.size() + " " + isFine + " " + second + " left " + wait(consumer, 2).size();
        }
    }

    static String together() throws Exception {
        String topic = topic("together", 1), group = topic;
        earliest(group);
        fill(topic, 0, 1000);
        Map<Integer, Integer> times = new HashMap<>();
        Set<Integer> readers = new TreeSet<>();
        String[] few = {"max.poll.records", "20", "share.acquire.mode", "record_limit"};
        try (KafkaShareConsumer<String, String> one = consumer(group, topic, few);
                KafkaShareConsumer<String, String> two = consumer(group, topic, few)) {
            for (int turn = 0; turn < 80 && times.size() < 1000; turn++) {
                for (KafkaShareConsumer<String, String> consumer : List.of(one, two)) {
                    for (ConsumerRecord<String, String> record : poll(consumer)) {
                        times.merge(Integer.parseInt(record.value()), 1, Integer::sum);
                        readers.add(consumer == one ? 1 : 2);
                    }
                }
            }
        }
        return times.size() + " once " + times.values().stream().allMatch(each -> each == 1) + " by " + readers;
    }

    static String timeout() throws Exception {
        String topic = topic("timeout", 1), group = topic;
        earliest(group);
        configure(group, "share.record.lock.duration.ms", "1000");
        fill(topic, 0, 5);
        try (KafkaShareConsumer<String, String> one =
                    consumer(group, topic, "share.acknowledgement.mode", "explicit");
                KafkaShareConsumer<String, String> two = consumer(group, topic)) {
            List<ConsumerRecord<String, String>> first = wait(one, 40);
            Map<Integer, Short> second = new TreeMap<>();
            for (ConsumerRecord<String, String> record : wait(two, 20))
                second.put(Integer.parseInt(record.value()), record.deliveryCount().get());
            two.commitSync();
            for (ConsumerRecord<String, String> record : first) one.acknowledge(record);
            String late = one.commitSync().values().stream()
                .map(each -> each.map(fault -> fault.getClass().getSimpleName()).orElse("none")).toList().toString();
            return numbers(first) + " " + second + " late " + late;
        }
    }

    static String limit() throws Exception {
        String topic = topic("limit", 1), group = topic;
        earliest(group);
        fill(topic, 0, 1);
        List<Short> counts = new ArrayList<>();
        try (KafkaShareConsumer<String, String> consumer =
                consumer(group, topic, "share.acknowledgement.mode", "explicit")) {
            for (int turn = 0; turn < 6; turn++) {
                for (ConsumerRecord<String, String> record : wait(consumer, turn == 0 ? 40 : turn < 5 ? 20 : 3)) {
                    counts.add(record.deliveryCount().get());
                    consumer.acknowledge(record, AcknowledgeType.RELEASE);
                }
                consumer.commitSync();
            }
        }
        return counts.toString();
    }

    static String renew() throws Exception {
        String topic = topic("renew", 1), group = topic;
        earliest(group);
        configure(group, "share.record.lock.duration.ms", "5000");
        fill(topic, 0, 1);
        try (KafkaShareConsumer<String, String> one =
                    consumer(group, topic, "share.acknowledgement.mode", "explicit");
                KafkaShareConsumer<String, String> two = consumer(group, topic)) {
            List<ConsumerRecord<String, String>> first = wait(one, 40);
            int stolen = 0;
            long end = System.nanoTime() + 7_000_000_000L; // longer than the lock
            while (System.nanoTime() < end) {
                for (ConsumerRecord<String, String> record : first) one.acknowledge(record, AcknowledgeType.RENEW);
                one.commitSync();
                stolen += poll(two).size();
                poll(one);
            }
            for (ConsumerRecord<String, String> record : first) one.acknowledge(record);
            boolean isFine = one.commitSync().values().stream().allMatch(each -> each.isEmpty());
            return first.size() + " stolen " + stolen + " " + isFine + " left " + wait(two, 4).size();
        }
    }

    static String exact() throws Exception {
        String topic = topic("exact", 1), group = topic;
        earliest(group);
        fill(topic, 0, 25);
        List<Integer> sizes = new ArrayList<>();
        try (KafkaShareConsumer<String, String> consumer = consumer(
                group, topic, "share.acquire.mode", "record_limit", "max.poll.records", "10")) {
            for (int turn = 0; turn < 40 && sizes.stream().mapToInt(each -> each).sum() < 25; turn++) {
                int size = poll(consumer).size();
                if (size > 0) sizes.add(size);
            }
        }
        return sizes.toString();
    }

    static String committed() throws Exception {
        String topic = topic("committed", 1), group = topic;
        earliest(group);
        configure(group, "share.isolation.level", "read_committed");
        try (KafkaProducer<String, String> producer = producer(topic)) {
            producer.initTransactions();
            for (int number = 0; number < 10; number++) {
                producer.beginTransaction();
                producer.send(new ProducerRecord<>(topic, "" + number));
                producer.flush();
                if (number % 2 == 0) producer.commitTransaction();
                else producer.abortTransaction();
            }
        }
        Set<Integer> found = new TreeSet<>();
        try (KafkaShareConsumer<String, String> consumer = consumer(group, topic)) {
            for (int turn = 0; turn < 40 && found.size() < 5; turn++) found.addAll(numbers(poll(consumer)));
            return found + " more " + wait(consumer, 2).size();
        }
    }

    static String latest() throws Exception {
        String topic = topic("latest", 1), group = topic;
        fill(topic, 0, 5);
        try (KafkaShareConsumer<String, String> consumer = consumer(group, topic)) {
            for (int turn = 0; turn < 20; turn++) poll(consumer);
            fill(topic, 5, 8);
            Set<Integer> found = new TreeSet<>();
            for (int turn = 0; turn < 40 && found.size() < 3; turn++) found.addAll(numbers(poll(consumer)));
            return found.toString();
        }
    }

    /** Reads 100, accepts 60, and leaves without a word. */
    static String begin() throws Exception {
        String topic = topic("kept", 1), group = topic;
        earliest(group);
        fill(topic, 0, 100);
        KafkaShareConsumer<String, String> consumer =
            consumer(group, topic, "share.acknowledgement.mode", "explicit");
        List<ConsumerRecord<String, String>> found = wait(consumer, 40);
        for (ConsumerRecord<String, String> record : found) {
            int number = Integer.parseInt(record.value());
            consumer.acknowledge(record, number % 5 < 3 ? AcknowledgeType.ACCEPT : AcknowledgeType.RELEASE);
        }
        consumer.commitSync();
        return "" + found.size();
    }

    /** What is left of them. */
    static String resume() throws Exception {
        String topic = prefix + "-kept", group = topic;
        Map<Integer, Short> found = new TreeMap<>();
        try (KafkaShareConsumer<String, String> consumer = consumer(group, topic)) {
            for (int turn = 0; turn < 40 && found.size() < 40; turn++)
                for (ConsumerRecord<String, String> record : poll(consumer))
                    found.put(Integer.parseInt(record.value()), record.deliveryCount().get());
            consumer.commitSync();
        }
        boolean isRight = found.keySet().stream().allMatch(number -> number % 5 >= 3);
        return found.size() + " " + isRight + " delivered " + new TreeSet<>(found.values());
    }

    static String administer() throws Exception {
        String topic = topic("admin", 2), group = topic;
        TopicPartition zero = new TopicPartition(topic, 0);
        List<String> said = new ArrayList<>();
        earliest(group);
        try (KafkaProducer<String, String> producer = producer(null)) {
            for (int number = 0; number < 10; number++)
                producer.send(new ProducerRecord<>(topic, 0, "k", "" + number));
        }
        try (KafkaShareConsumer<String, String> consumer = consumer(group, topic)) {
            wait(consumer, 40);
            consumer.commitSync();
            ShareGroupDescription known = admin.describeShareGroups(List.of(group)).all().get().get(group);
            said.add(known.groupState() + " " + known.members().size());
            said.add("" + known.members().iterator().next().assignment().topicPartitions().size());
            try {
                admin.alterShareGroupOffsets(group, Map.of(zero, 3L)).all().get();
            } catch (Exception fault) {
                said.add(fault.getCause().getClass().getSimpleName());
            }
        }
        said.add("" + admin.listGroups(ListGroupsOptions.forShareGroups()).all().get().stream()
            .filter(each -> each.groupId().equals(group) && each.type().get() == GroupType.SHARE).count());
        said.add("at " + start(group, zero));
        admin.alterShareGroupOffsets(group, Map.of(zero, 3L)).all().get();
        said.add("at " + start(group, zero));
        try (KafkaShareConsumer<String, String> consumer = consumer(group, topic)) {
            said.add("" + numbers(wait(consumer, 40)));
        }
        admin.deleteShareGroupOffsets(group, Set.of(topic)).all().get();
        said.add("at " + start(group, zero));
        admin.deleteShareGroups(List.of(group)).all().get();
        said.add("" + admin.describeShareGroups(List.of(group)).describedGroups().get(group)
            .toCompletionStage().toCompletableFuture().handle((found, fault) -> fault == null ? found.groupState() : fault.getClass().getSimpleName()).get());
        return String.join(", ", said);
    }

    static String start(String group, TopicPartition place) throws Exception {
        var found = admin.listShareGroupOffsets(Map.of(group, new ListShareGroupOffsetsSpec()))
            .partitionsToOffsetInfo(group).get().get(place);
        return found == null ? "none" : found.startOffset() + " lag " + found.lag().map(each -> "" + each).orElse("?");
    }
}
