package org.peft4j.generate;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/**
 * Encoder-decoders write what transformers' {@code generate} writes, greedily and by beam search,
 * and causal models by beam search; in batches of texts of different lengths.
 */
@Tag("fast")
class Seq2SeqGenerationTest {
  private static final Path ROOT = Path.of("src/test/resources/golden/seq2seq");
  private static final Path FAMILIES = Path.of("src/test/resources/golden/families");
  private static final int STEPS = 32;
  private static final Map<String, Beams> SEARCHES =
      Map.of(
          "beams", new Beams(3, 1, false),
          "beams_long", new Beams(3, 2, false),
          "beams_early", new Beams(3, 1, true),
          "beams_short", new Beams(4, -1, false),
          "beams_penalised", new Beams(2, 1, false));

  private static TensorSource open(Path file) {
    try {
      return Safetensors.open(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static long[][] rows(TensorSource io, String name) {
    try (NDManager manager = Torch.newManager()) {
      NDArray a = io.load(name, manager);
      int width = (int) a.getShape().get(1);
      long[] flat = a.toType(DataType.INT64, false).toLongArray();
      long[][] out = new long[flat.length / width][];
      Arrays.setAll(out, r -> Arrays.copyOfRange(flat, r * width, (r + 1) * width));
      return out;
    }
  }

  private static long[][] texts(TensorSource io, String side) {
    long[][] ids = rows(io, side + "input_ids");
    long[][] mask = rows(io, side + "attention_mask");
    long[][] out = new long[ids.length][];
    for (int r = 0; r < ids.length; r++) {
      int row = r;
      out[r] =
          java.util.stream.IntStream.range(0, ids[r].length)
              .filter(i -> mask[row][i] == 1)
              .mapToLong(i -> ids[row][i])
              .toArray();
    }
    return out;
  }

  private static long[] untilEnd(long[] tokens, long end) {
    int n = 0;
    while (n < tokens.length && tokens[n] != end) {
      n++;
    }
    return Arrays.copyOf(tokens, Math.min(tokens.length, n + 1));
  }

  private static long[][] greedy(Block model, long[][] sources, Sampling how) {
    long[][] seen = new long[sources.length][STEPS + 1];
    try (Decoding decoding = Decoding.answering(model, sources, 0, 0)) {
      float[][] scores = decoding.begin();
      for (int step = 0; step < STEPS; step++) {
        long[][] next = new long[sources.length][1];
        for (int r = 0; r < sources.length; r++) {
          next[r][0] = how.choose(scores[r], seen[r], step + 1, Seed.of(0));
          seen[r][step + 1] = next[r][0];
        }
        scores = decoding.read(next);
      }
    }
    return Arrays.stream(seen)
        .map(s -> untilEnd(Arrays.copyOfRange(s, 1, s.length), 1))
        .toArray(long[][]::new);
  }

  private static void same(long[][] actual, long[][] expected, long end, String what) {
    for (int r = 0; r < expected.length; r++) {
      assertThat(actual[r]).as(what + ", row " + r).isEqualTo(untilEnd(expected[r], end));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"t5", "t5_v11", "mt5"})
  void greedy_steps_with_a_cache_equal_transformers(String name) {
    try (Pretrained model = Models.load(ROOT.resolve(name));
        TensorSource io = open(ROOT.resolve(name).resolve("io.safetensors"))) {
      long[][] sources = texts(io, "right.");
      same(greedy(model, sources, Sampling.GREEDY), rows(io, "greedy.tokens"), 1, "greedy");
      Sampling penalised = new Sampling(0, 0, 1, 0, 1.3);
      same(greedy(model, sources, penalised), rows(io, "penalised.tokens"), 1, "penalised");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"t5", "t5_v11"})
  void an_adapter_acts_in_cached_steps(String name) {
    try (Pretrained model = Models.load(ROOT.resolve(name));
        Tuned tuned = Peft.load(model, ROOT.resolve(name + "_lora"));
        TensorSource io = open(ROOT.resolve(name).resolve("io.safetensors"));
        TensorSource own = open(ROOT.resolve(name + "_lora").resolve("io.safetensors"))) {
      long[][] sources = texts(io, "right.");
      same(greedy(tuned, sources, Sampling.GREEDY), rows(own, "greedy.tokens"), 1, name);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"t5", "t5_v11", "mt5"})
  void beams_behind_an_encoder_equal_transformers(String name) {
    try (Pretrained model = Models.load(ROOT.resolve(name));
        TensorSource io = open(ROOT.resolve(name).resolve("io.safetensors"))) {
      long[][] sources = texts(io, "right.");
      long[][] starts = new long[sources.length][1];
      SEARCHES.forEach(
          (what, beams) -> {
            Sampling how = new Sampling(0, 0, 1, 0, what.endsWith("penalised") ? 1.3 : 1);
            BeamSearch search = new BeamSearch(beams, how, Set.of(1L), STEPS);
            try (Decoding decoding = Decoding.answering(model, sources, 0, 0)) {
              long[][] found = search.run(decoding, starts).toArray(long[][]::new);
              same(found, rows(io, what + ".tokens"), 1, what);
            }
          });
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "qwen2_window"})
  void beams_of_causal_models_equal_transformers(String name) {
    try (Pretrained model = Models.load(FAMILIES.resolve(name));
        TensorSource io = open(ROOT.resolve("beams_" + name + ".safetensors"))) {
      long[][] prompts = texts(io, "");
      long[][] seen = rows(io, "input_ids"); // transformers' penalty sees the padding too
      SEARCHES.forEach(
          (what, beams) -> {
            Sampling how = new Sampling(0, 0, 1, 0, what.endsWith("penalised") ? 1.3 : 1);
            BeamSearch search = new BeamSearch(beams, how, Set.of(2L), STEPS);
            try (Decoding decoding = Decoding.continuing(model, prompts, 0)) {
              List<long[]> found = search.run(decoding, seen);
              same(found.toArray(long[][]::new), rows(io, what + ".tokens"), 2, what);
            }
          });
    }
  }

  @Test
  void a_text_alone_is_written_as_in_a_batch() {
    try (Pretrained model = Models.load(ROOT.resolve("mt5"));
        TensorSource io = open(ROOT.resolve("mt5").resolve("io.safetensors"))) {
      long[][] sources = texts(io, "right.");
      long[][] together = greedy(model, sources, Sampling.GREEDY);
      for (int r = 0; r < sources.length; r++) {
        long[][] alone = greedy(model, new long[][] {sources[r]}, Sampling.GREEDY);
        assertThat(alone[0]).isEqualTo(together[r]);
      }
    }
  }
}
