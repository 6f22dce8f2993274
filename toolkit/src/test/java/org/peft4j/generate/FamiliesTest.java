package org.peft4j.generate;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.peft4j.Models;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/**
 * Every family of decoders gives the logits of transformers, with padding on either side, and
 * continues texts as its {@code generate} does.
 */
@Tag("fast")
class FamiliesTest {
  private static final Path ROOT = Path.of("src/test/resources/golden/families");
  private static final int STEPS = 32;

  @TestFactory
  Stream<DynamicNode> every_family() throws IOException {
    try (Stream<Path> folders = Files.list(ROOT)) {
      List<Path> all = folders.sorted().toList();
      assertThat(all).as("golden models").hasSize(28);
      return all.stream()
          .map(f -> DynamicTest.dynamicTest(f.getFileName().toString(), () -> check(f)));
    }
  }

  static void check(Path folder) throws Exception {
    try (Pretrained model = Models.load(folder);
        TensorSource io = Safetensors.open(folder.resolve("io.safetensors"))) {
      for (String side : List.of("right", "left")) {
        assertThat(distance(model, io, side)).as(side + " padding").isLessThan(1e-5f);
      }
      greedy(model, io, "greedy", Sampling.GREEDY);
      greedy(model, io, "penalised", new Sampling(0, 0, 1, 0, 1.3));
    }
  }

  private static float distance(Pretrained model, TensorSource io, String side) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager manager = Torch.newManager()) {
            NDArray mask = io.load(side + ".attention_mask", manager);
            NDList in = new NDList(io.load(side + ".input_ids", manager), mask);
            NDArray logits =
                model.forward(new ParameterStore(manager, false), in, false).singletonOrThrow();
            NDArray difference = logits.sub(io.load(side + ".logits", manager)).abs();
            return difference
                .mul(mask.toType(DataType.FLOAT32, false).expandDims(2))
                .max()
                .getFloat();
          }
        });
  }

  /** All rows in one batch, and each alone, end as transformers' batch does. */
  private static void greedy(Pretrained model, TensorSource io, String what, Sampling how) {
    long[][] prompts;
    long[][] expected;
    try (NDManager manager = Torch.newManager()) {
      long[][] ids = rows(io.load("left.input_ids", manager));
      long[][] mask = rows(io.load("left.attention_mask", manager));
      expected = rows(io.load(what + ".tokens", manager));
      prompts = new long[ids.length][];
      for (int r = 0; r < ids.length; r++) {
        int length = (int) Arrays.stream(mask[r]).sum();
        prompts[r] = Arrays.copyOfRange(ids[r], ids[r].length - length, ids[r].length);
      }
    }
    long[][] together = continued(model, prompts, how);
    for (int r = 0; r < prompts.length; r++) {
      long[] reference = untilEnd(expected[r]);
      assertThat(together[r]).as(what + ", row " + r + " in a batch").isEqualTo(reference);
    }
  }

  private static long[][] rows(NDArray a) {
    int width = (int) a.getShape().get(1);
    long[] flat = a.toType(DataType.INT64, false).toLongArray();
    long[][] out = new long[flat.length / width][];
    for (int r = 0; r < out.length; r++) {
      out[r] = Arrays.copyOfRange(flat, r * width, (r + 1) * width);
    }
    return out;
  }

  private static final int END = 2;

  private static long[] untilEnd(long[] tokens) {
    int n = 0;
    while (n < tokens.length && tokens[n] != END) {
      n++;
    }
    return Arrays.copyOf(tokens, Math.min(tokens.length, n + 1));
  }

  /** What the generator does, without a tokenizer. */
  private static long[][] continued(Pretrained model, long[][] prompts, Sampling how) {
    int[] lengths = Arrays.stream(prompts).mapToInt(p -> p.length).toArray();
    int longest = Arrays.stream(lengths).max().orElseThrow();
    long[][] seen = new long[prompts.length][];
    long[][] padded = Decoding.leftPadded(prompts, 0);
    for (int r = 0; r < prompts.length; r++) {
      // transformers' penalty sees the padding too
      seen[r] = Arrays.copyOf(padded[r], longest + STEPS);
    }
    try (Decoding decoding = new Decoding(model, prompts.length, longest, lengths)) {
      float[][] scores = decoding.read(padded);
      for (int step = 0; step < STEPS; step++) {
        long[][] next = new long[prompts.length][1];
        for (int r = 0; r < prompts.length; r++) {
          next[r][0] = how.choose(scores[r], seen[r], longest + step, Seed.of(0));
          seen[r][longest + step] = next[r][0];
        }
        scores = decoding.read(next);
      }
    }
    long[][] out = new long[prompts.length][];
    for (int r = 0; r < prompts.length; r++) {
      out[r] = untilEnd(Arrays.copyOfRange(seen[r], longest, longest + STEPS));
    }
    return out;
  }
}
