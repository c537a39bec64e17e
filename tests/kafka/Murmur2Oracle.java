import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/**
 * Says what Apache Kafka's own code makes of keys.
 *
 * <p>Reads one key per line from stdin, in hexadecimal. Writes per key one line of decimal numbers:
 * murmur2, its positive form, and the partition for each partition count given as an argument.
 */
public final class Murmur2Oracle {
    private Murmur2Oracle() {}

    public static void main(String[] counts) throws IOException {
        StringBuilder answer = new StringBuilder();
        try (BufferedReader keys =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII))) {
            for (String line = keys.readLine(); line != null; line = keys.readLine()) {
                byte[] key = HexFormat.of().parseHex(line);
                int hash = Utils.murmur2(key);
                answer.append(hash).append(' ').append(Utils.toPositive(hash));
                for (String count : counts) {
                    int partition = BuiltInPartitioner.partitionForKey(key, Integer.parseInt(count));
                    answer.append(' ').append(partition);
                }
                answer.append('\n');
            }
        }
        System.out.print(answer);
    }
}
