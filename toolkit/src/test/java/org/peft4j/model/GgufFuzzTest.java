package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.peft4j.format.GgufFixtures;

/**
 * Models whose metadata are damaged: whatever changes, loading succeeds or throws an {@link
 * IllegalArgumentException} that names the file. {@code -Dpeft4j.fuzz=N} sets the number of GGUF
 * files that are damaged in all tests; a fifth of them is damaged here.
 */
@Tag("fast")
class GgufFuzzTest {
  private static final int COUNT = Integer.getInteger("peft4j.fuzz", 4500) / 15;
  private static final int[] NUMBERS = {0, 1, -1, 2, 3, 7, 31, 1 << 30, Integer.MAX_VALUE, 380};

  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({"llama, 700, 10000", "llama, 0, 700", "llama-k, 0, 1500"})
  void damaged_metadata(String name, int from, int to) throws Exception {
    byte[] original = Files.readAllBytes(GgufFixtures.path(name + ".gguf"));
    Path file = folder.resolve("m.gguf");
    int sound = 0;
    for (int i = 0; i < COUNT; i++) {
      Random random = new Random(i);
      byte[] damaged = original.clone();
      for (int n = random.nextInt(3); n >= 0; n--) {
        int at = from + random.nextInt(to - from);
        if (random.nextBoolean()) {
          damaged[at] ^= (byte) (1 << random.nextInt(8));
        } else {
          ByteBuffer.wrap(damaged)
              .order(ByteOrder.LITTLE_ENDIAN)
              .putInt(at, NUMBERS[random.nextInt(NUMBERS.length)]);
        }
      }
      Files.write(file, damaged);
      try (Pretrained model = Loader.path(file)) {
        if (model.hasTokenizer()) {
          model.tokenizer().close();
        }
        sound++;
      } catch (IllegalArgumentException | UncheckedIOException e) {
        assertThat(e.getMessage()).as("seed " + i).contains("m.gguf");
      } catch (RuntimeException | Error e) {
        throw new AssertionError(name + ", seed " + i, e);
      }
    }
    assertThat(sound).isBetween(1, COUNT - 1);
  }
}
