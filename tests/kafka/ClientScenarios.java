import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.zip.CRC32;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.DescribeClusterResult;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * What users of Apache Kafka's Java client do, against any broker.
 *
 * <p>Arguments: a scenario, the bootstrap address, the scenario's own. Ends with an exception, and
 * so with exit code 1, where something is not as it should be.
 *
 * <ul>
 *   <li>{@code records <topic> <opens-batches>}: an idempotent producer and a consumer without a
 *       group, on a new topic for each codec, whose names begin so. {@code opens-batches} is false
 *       where times are looked up by whole batches as soon as they are compressed.
 *   <li>{@code admin <topic>}: the admin client, on topics whose names begin so.
 *   <li>{@code write <topic>}: writes to partition 0 with each codec, then in transactions, of which
 *       one is aborted; prints {@code wrote offset key value} for each record, null as {@code
 *       -}.
 *   <li>{@code read <topic>}: prints {@code partition offset key CRC-32-of-value} of each record of
 *       a topic, in no particular order of partitions.
 * </ul>
 */
public final class ClientScenarios {
    private static final int RECORDS = 300;
    private static final long FIRST_TIMESTAMP = 1_700_000_000_000L;
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private final String bootstrap;
    private final Admin admin;

    private ClientScenarios(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
    }

    public static void main(String[] args) throws Exception {
        ClientScenarios scenarios = new ClientScenarios(args[1]);
        try (scenarios.admin) {
            switch (args[0]) {
                case "records" -> scenarios.records(args[2], Boolean.parseBoolean(args[3]));
                case "admin" -> scenarios.admin(args[2]);
                case "write" -> scenarios.write(args[2]);
                case "read" -> scenarios.read(args[2]);
                default -> throw new IllegalArgumentException("no scenario " + args[0]);
            }
        }
        System.out.println("done: " + args[0]);
    }

    // --- records

    private void records(String prefix, boolean opensBatches) throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try {
                records(prefix + "-" + codec, codec, opensBatches || codec.equals("none"));
            } catch (Exception error) {
                throw new IllegalStateException("with codec " + codec, error);
            }
        }
    }

    private void records(String topic, String codec, boolean exactTimes) throws Exception {
        create(topic, 2, Map.of("retention.ms", "-1", "max.message.bytes", "100000"));
        TopicPartition partition = new TopicPartition(topic, 1);
        try (KafkaProducer<byte[], byte[]> producer = producer(codec)) {
            produce(producer, partition);
            tooLarge(producer, partition);
        }
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            consumer.assign(List.of(partition));
            ends(consumer, partition);
            for (long from : new long[] {0, 57, RECORDS - 1}) {
                consume(consumer, partition, from);
            }
            times(consumer, partition, exactTimes);
            outOfRange(consumer, partition);
        }
    }

    private KafkaProducer<byte[], byte[]> producer(String codec) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("enable.idempotence", true);
        settings.put("acks", "all");
        settings.put("compression.type", codec);
        // So that batches hold many records.
        settings.put("linger.ms", 50);
        settings.put("batch.size", 8192);
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private KafkaConsumer<byte[], byte[]> consumer() {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("auto.offset.reset", "none");
        settings.put("check.crcs", true);
        // A seek waits for the fetch under way.
        settings.put("fetch.max.wait.ms", 20);
        return new KafkaConsumer<>(
                settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] keyOf(int n) {
        return n % 10 == 0 ? null : bytes("key " + n);
    }

    private static byte[] valueOf(int n) {
        return n % 7 == 0 ? null : bytes(("value " + n + " ").repeat(n % 50));
    }

    private static void produce(KafkaProducer<byte[], byte[]> producer, TopicPartition partition)
            throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (int n = 0; n < RECORDS; n++) {
            ProducerRecord<byte[], byte[]> record =
                    new ProducerRecord<>(
                            partition.topic(),
                            partition.partition(),
                            FIRST_TIMESTAMP + n,
                            keyOf(n),
                            valueOf(n));
            record.headers().add("n", bytes(Integer.toString(n)));
            sent.add(producer.send(record));
        }
        for (int n = 0; n < RECORDS; n++) {
            expect("offset", (long) n, sent.get(n).get().offset());
        }
    }

    private static void tooLarge(KafkaProducer<byte[], byte[]> producer, TopicPartition partition) {
        byte[] value = new byte[200_000];
        // Of the kind that does not get smaller.
        new java.util.Random(7).nextBytes(value);
        ProducerRecord<byte[], byte[]> record =
                new ProducerRecord<>(partition.topic(), partition.partition(), null, value);
        expectError(RecordTooLargeException.class, () -> producer.send(record).get());
    }

    private static void ends(KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition) {
        Collection<TopicPartition> both =
                List.of(partition, new TopicPartition(partition.topic(), 0));
        Map<TopicPartition, Long> first = consumer.beginningOffsets(both, PATIENCE);
        expect("first offsets", List.of(0L, 0L), both.stream().map(first::get).toList());
        Map<TopicPartition, Long> end = consumer.endOffsets(both, PATIENCE);
        expect("end offsets", List.of((long) RECORDS, 0L), both.stream().map(end::get).toList());
        expect("partitions", 2, consumer.partitionsFor(partition.topic(), PATIENCE).size());
    }

    private static void consume(
            KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, long from) {
        consumer.seek(partition, from);
        int next = (int) from;
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (next < RECORDS) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("no record " + next + " within " + PATIENCE);
            }
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                expect("offset", (long) next, record.offset());
                expect("timestamp", FIRST_TIMESTAMP + next, record.timestamp());
                expectBytes("key", keyOf(next), record.key());
                expectBytes("value", valueOf(next), record.value());
                byte[] header = record.headers().lastHeader("n").value();
                expectBytes("header", bytes(Integer.toString(next)), header);
                next++;
            }
        }
        expect("position", (long) RECORDS, consumer.position(partition, PATIENCE));
    }

    private static void times(
            KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition, boolean exact) {
        for (int n : new int[] {0, 57, RECORDS - 1}) {
            OffsetAndTimestamp found =
                    consumer.offsetsForTimes(Map.of(partition, FIRST_TIMESTAMP + n), PATIENCE)
                            .get(partition);
            if (exact) {
                expect("offset for time", (long) n, found.offset());
                expect("its timestamp", FIRST_TIMESTAMP + n, found.timestamp());
            } else {
                // Whoever reads from there on misses nothing.
                expect("offset not behind " + n, true, found.offset() <= n);
            }
        }
        Map<TopicPartition, Long> after = Map.of(partition, FIRST_TIMESTAMP + RECORDS);
        expect("nothing so late", null, consumer.offsetsForTimes(after, PATIENCE).get(partition));
    }

    private static void outOfRange(
            KafkaConsumer<byte[], byte[]> consumer, TopicPartition partition) {
        consumer.seek(partition, RECORDS + 1);
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        expectError(
                OffsetOutOfRangeException.class,
                () -> {
                    while (System.nanoTime() < deadline) {
                        consumer.poll(Duration.ofSeconds(1));
                    }
                    return null;
                });
    }

    // --- write

    private void write(String topic) throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            try (KafkaProducer<byte[], byte[]> producer = producer(codec)) {
                writeSome(producer, topic, codec, 40);
            }
        }
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("transactional.id", topic + "-java");
        settings.put("compression.type", "zstd");
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(
                        settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.initTransactions();
            producer.beginTransaction();
            writeSome(producer, topic, "committed", 5);
            producer.commitTransaction();
            producer.beginTransaction();
            writeSome(producer, topic, "aborted", 3);
            producer.abortTransaction();
            producer.beginTransaction();
            writeSome(producer, topic, "last", 1);
            producer.commitTransaction();
        }
    }

    private static void writeSome(
            KafkaProducer<byte[], byte[]> producer, String topic, String label, int count)
            throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        List<String> texts = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            String key = n % 3 == 0 ? null : label + "-" + n;
            String value = n % 4 == 3 ? null : (label + "/" + n + ";").repeat(n);
            ProducerRecord<byte[], byte[]> record =
                    new ProducerRecord<>(
                            topic,
                            0,
                            key == null ? null : bytes(key),
                            value == null ? null : bytes(value));
            sent.add(producer.send(record));
            texts.add((key == null ? "-" : key) + " " + (value == null ? "-" : value));
        }
        // An abort fails what it finds unsent.
        producer.flush();
        for (int n = 0; n < count; n++) {
            System.out.println("wrote " + sent.get(n).get().offset() + " " + texts.get(n));
        }
    }

    // --- read

    private void read(String topic) {
        try (KafkaConsumer<byte[], byte[]> consumer = consumer()) {
            List<TopicPartition> partitions =
                    consumer.partitionsFor(topic, PATIENCE).stream()
                            .map(one -> new TopicPartition(topic, one.partition()))
                            .toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions, PATIENCE);
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (partitions.stream()
                    .anyMatch(one -> consumer.position(one, PATIENCE) < ends.get(one))) {
                if (System.nanoTime() > deadline) {
                    throw new IllegalStateException("not at the end within " + PATIENCE);
                }
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    CRC32 sum = new CRC32();
                    sum.update(record.value());
                    byte[] key = record.key();
                    System.out.printf(
                            "%d %d %s %08x%n",
                            record.partition(),
                            record.offset(),
                            key == null ? "-" : new String(key, StandardCharsets.UTF_8),
                            sum.getValue());
                }
            }
        }
    }

    // --- admin

    private void admin(String prefix) throws Exception {
        cluster();
        String topic = prefix + "-1";
        String other = prefix + "-2";
        create(topic, 3, Map.of("cleanup.policy", "compact", "max.message.bytes", "300000"));
        create(other, 1, Map.of());
        described(topic);
        settings(topic);
        partitions(topic);
        records(topic);
        refused(topic);
        admin.deleteTopics(List.of(topic)).all().get();
        await("the deleted topic is gone", () -> !admin.listTopics().names().get().contains(topic));
        expect("the other stays", true, admin.listTopics().names().get().contains(other));
        expectError(
                UnknownTopicOrPartitionException.class,
                () -> admin.deleteTopics(List.of(topic)).all().get());
        admin.deleteTopics(List.of(other)).all().get();
    }

    /** Creates a topic and waits until it can be used: Apache Kafka says yes before that. */
    private void create(String topic, int partitions, Map<String, String> settings)
            throws Exception {
        NewTopic wanted = new NewTopic(topic, Optional.of(partitions), Optional.empty());
        admin.createTopics(List.of(wanted.configs(settings))).all().get();
        await(
                "every partition of " + topic + " answers",
                () -> {
                    Map<TopicPartition, OffsetSpec> all = new HashMap<>();
                    for (int n = 0; n < partitions; n++) {
                        all.put(new TopicPartition(topic, n), OffsetSpec.latest());
                    }
                    return admin.listOffsets(all).all().get().size() == partitions;
                });
    }

    private void cluster() throws Exception {
        DescribeClusterResult cluster = admin.describeCluster();
        Collection<Node> nodes = cluster.nodes().get();
        expect("nodes", 1, nodes.size());
        Node node = nodes.iterator().next();
        expect("address", bootstrap, node.host() + ":" + node.port());
        expect("controller", node.id(), cluster.controller().get().id());
        expect("cluster id's length", 22, cluster.clusterId().get().length());
    }

    private void described(String topic) throws Exception {
        expect("is listed", true, admin.listTopics().names().get().contains(topic));
        TopicDescription found = describe(topic);
        expect("partitions", 3, found.partitions().size());
        found.partitions()
                .forEach(
                        partition -> {
                            expect("replicas", 1, partition.replicas().size());
                            expect("in sync", partition.replicas(), partition.isr());
                            expect("leader", partition.replicas().get(0), partition.leader());
                        });
        expectError(
                UnknownTopicOrPartitionException.class, () -> describe(topic + "-there-is-none"));
    }

    private TopicDescription describe(String topic) throws Exception {
        return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
    }

    private ConfigEntry setting(String topic, String name) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return admin.describeConfigs(List.of(resource)).all().get().get(resource).get(name);
    }

    private void alter(String topic, String name, String value, AlterConfigOp.OpType operation)
            throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        AlterConfigOp change = new AlterConfigOp(new ConfigEntry(name, value), operation);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(change))).all().get();
    }

    private void settings(String topic) throws Exception {
        expect("given", "compact", setting(topic, "cleanup.policy").value());
        expect("default", true, setting(topic, "retention.ms").isDefault());
        alter(topic, "retention.ms", "3600000", AlterConfigOp.OpType.SET);
        await("it is set", () -> setting(topic, "retention.ms").value().equals("3600000"));
        expect("source", ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG,
                setting(topic, "retention.ms").source());
        alter(topic, "retention.ms", "", AlterConfigOp.OpType.DELETE);
        await("it is the default", () -> setting(topic, "retention.ms").isDefault());
        alter(topic, "cleanup.policy", "delete", AlterConfigOp.OpType.APPEND);
        await(
                "both policies are set",
                () -> {
                    String policy = setting(topic, "cleanup.policy").value();
                    return policy.contains("compact") && policy.contains("delete");
                });
        alter(topic, "cleanup.policy", "compact", AlterConfigOp.OpType.SUBTRACT);
        await(
                "one policy is left",
                () -> setting(topic, "cleanup.policy").value().equals("delete"));
        Collection<Node> nodes = admin.describeCluster().nodes().get();
        String id = Integer.toString(nodes.iterator().next().id());
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, id);
        expect(
                "the broker has settings",
                false,
                admin.describeConfigs(List.of(broker)).all().get().get(broker).entries().isEmpty());
    }

    private void partitions(String topic) throws Exception {
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all().get();
        await("there are five", () -> describe(topic).partitions().size() == 5);
        expectError(
                InvalidPartitionsException.class,
                () ->
                        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4)))
                                .all()
                                .get());
    }

    private void records(String topic) throws Exception {
        TopicPartition partition = new TopicPartition(topic, 2);
        try (KafkaProducer<byte[], byte[]> producer = producer("none")) {
            for (int n = 0; n < 10; n++) {
                producer.send(new ProducerRecord<>(topic, 2, bytes("key"), bytes("value"))).get();
            }
        }
        expect(
                "low watermark",
                4L,
                admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(4)))
                        .lowWatermarks()
                        .get(partition)
                        .get()
                        .lowWatermark());
        expect("earliest", 4L, offset(partition, OffsetSpec.earliest()));
        expect("latest", 10L, offset(partition, OffsetSpec.latest()));
        expect("newest in time", true, offset(partition, OffsetSpec.maxTimestamp()) >= 4);
    }

    private long offset(TopicPartition partition, OffsetSpec which) throws Exception {
        return admin.listOffsets(Map.of(partition, which)).partitionResult(partition).get().offset();
    }

    private void refused(String topic) {
        expectError(
                TopicExistsException.class,
                () -> admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get());
        NewTopic tooMany = new NewTopic(topic + "-x", 1, (short) 3);
        expectError(
                InvalidReplicationFactorException.class,
                () -> admin.createTopics(List.of(tooMany)).all().get());
        NewTopic none = new NewTopic(topic + "-x", 0, (short) 1);
        expectError(
                InvalidPartitionsException.class,
                () -> admin.createTopics(List.of(none)).all().get());
        NewTopic unheardOf =
                new NewTopic(topic + "-x", 1, (short) 1).configs(Map.of("unheard.of", "1"));
        expectError(
                InvalidConfigurationException.class,
                () -> admin.createTopics(List.of(unheardOf)).all().get());
        expectError(
                InvalidConfigurationException.class,
                () -> {
                    alter(topic, "retention.ms", "-5", AlterConfigOp.OpType.SET);
                    return null;
                });
    }

    // --- what a test needs

    private static void await(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            try {
                if (condition.call()) {
                    return;
                }
            } catch (ExecutionException error) {
                if (System.nanoTime() > deadline) {
                    throw error;
                }
            }
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("not within " + PATIENCE + ": " + what);
            }
            Thread.sleep(20);
        }
    }

    private static void expectError(Class<? extends Exception> wanted, Callable<?> action) {
        Throwable got = null;
        try {
            action.call();
        } catch (ExecutionException error) {
            got = error.getCause();
        } catch (Exception error) {
            got = error;
        }
        if (!wanted.isInstance(got)) {
            throw new IllegalStateException("expected " + wanted.getName() + ", got " + got, got);
        }
    }

    private static void expect(String what, Object wanted, Object got) {
        if (!java.util.Objects.equals(wanted, got)) {
            throw new IllegalStateException(what + ": expected " + wanted + ", got " + got);
        }
    }

    private static void expectBytes(String what, byte[] wanted, byte[] got) {
        if (!java.util.Arrays.equals(wanted, got)) {
            String texts =
                    java.util.Arrays.toString(wanted) + ", got " + java.util.Arrays.toString(got);
            throw new IllegalStateException(what + ": expected " + texts);
        }
    }
}
