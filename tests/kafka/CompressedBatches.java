import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.record.internal.SimpleRecord;

/**
 * Writes one record batch per codec, as Apache Kafka's client does, into the folder given: the
 * files in crates/forebay-broker/tests/suite/compressed.
 *
 * <p>To make them anew: {@code java -cp "<target>/kafka/libs/*" CompressedBatches.java <folder>}.
 */
public final class CompressedBatches {
    private static final long FIRST_TIMESTAMP = 1_700_000_000_000L;

    private CompressedBatches() {}

    public static void main(String[] args) throws IOException {
        SimpleRecord[] records = new SimpleRecord[10];
        for (int n = 0; n < records.length; n++) {
            byte[] key = ("key" + n).getBytes(StandardCharsets.UTF_8);
            byte[] value = ("value " + n + " ").repeat(20).getBytes(StandardCharsets.UTF_8);
            records[n] = new SimpleRecord(FIRST_TIMESTAMP + n * 1000L, key, value);
        }
        Map<String, Compression> codecs =
                Map.of(
                        "gzip", Compression.gzip().build(),
                        "snappy", Compression.snappy().build(),
                        "lz4", Compression.lz4().build(),
                        "zstd", Compression.zstd().build());
        for (Map.Entry<String, Compression> codec : codecs.entrySet()) {
            ByteBuffer batch =
                    MemoryRecords.withRecords(
                                    RecordBatch.MAGIC_VALUE_V2,
                                    0L,
                                    codec.getValue(),
                                    TimestampType.CREATE_TIME,
                                    records)
                            .buffer();
            byte[] bytes = new byte[batch.remaining()];
            batch.get(bytes);
            Files.write(Path.of(args[0], codec.getKey() + ".batch"), bytes);
        }
    }
}
