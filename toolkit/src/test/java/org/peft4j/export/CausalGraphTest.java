package org.peft4j.export;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.Models;
import org.peft4j.Onnx;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.generate.Decoders;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.LoraInit;

/**
 * Every causal architecture, in both profiles: the graph is held against the model before it is
 * written, and continues texts with the same tokens.
 */
@Tag("fast")
class CausalGraphTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final int STEPS = 64;

  @TempDir Path dir;

  @TestFactory
  Stream<DynamicNode> every_family_and_profile() throws Exception {
    List<Path> all = new ArrayList<>();
    try (Stream<Path> folders = Files.list(GOLDEN.resolve("families"))) {
      folders
          .filter(f -> !f.endsWith("llama_dynamic") && !f.endsWith("phi3_longer"))
          .sorted()
          .forEach(all::add);
    }
    all.add(GOLDEN.resolve("gpt2/lm"));
    all.add(GOLDEN.resolve("gpt2/lm_scaled"));
    return all.stream()
        .flatMap(
            f ->
                Stream.of(Profile.values())
                    .map(
                        p ->
                            DynamicTest.dynamicTest(
                                f.getFileName() + ", " + p, () -> check(f, p))));
  }

  private void check(Path folder, Profile profile) throws Exception {
    Path file =
        Graphs.folder(dir, "causal").resolve(folder.getFileName() + "-" + profile + ".onnx");
    try (Pretrained model = Models.load(folder)) {
      Exported exported = Onnx.of(model).profile(profile).write(file);
      assertThat(exported.validate().passed()).isTrue();
      long[][] prompts = {{5, 9, 17, 3, 8, 21}, {7, 4}, {11, 3, 30, 6}};
      try (OnnxModel graph = OnnxModel.load(file, 0)) {
        int steps = Math.min(STEPS, model.context() > 0 ? model.context() - 6 : STEPS);
        long[][] found = Continued.by(graph.decoder(prompts, 0), steps);
        long[][] expected = Continued.by(Decoders.of(model).of(prompts, 0), steps);
        assertThat(found).isDeepEqualTo(expected);
        Set<Long> different = new TreeSet<>();
        Arrays.stream(found).flatMapToLong(Arrays::stream).forEach(different::add);
        assertThat(different).as("tokens").hasSizeGreaterThan(2);
      }
    }
  }

  /** Weights that stand in for others, as merging and quantising leave them, change no inputs. */
  @Test
  void a_merged_or_quantised_model_keeps_its_cache() throws Exception {
    Path base = GOLDEN.resolve("families/llama");
    long[][] prompts = {{5, 9, 17, 3, 8, 21}, {7, 4}};
    try (Pretrained model = Models.load(base);
        Tuned tuned = Peft.lora(model).rank(4).targets("all-linear").init(LoraInit.RANDOM).apply();
        Pretrained merged = tuned.merge();
        Pretrained quantised = model.quantized("nf4");
        Tuned again = Peft.lora(merged).rank(2).apply();
        Tuned qlora =
            Peft.lora(quantised).rank(4).targets("q", "v").init(LoraInit.RANDOM).apply()) {
      long[][] expected = Continued.by(Decoders.of(merged).of(prompts, 0), 20);
      long[][] plain = Continued.by(Decoders.of(model).of(prompts, 0), 20);
      assertThat(Arrays.deepEquals(expected, plain)).as("the adapter does nothing").isFalse();
      List<Exporter> same =
          List.of(Onnx.of(tuned), Onnx.of(merged), Onnx.withAdapters(again), Onnx.of(again));
      for (Exporter exporter : same) {
        assertThat(continued(exporter, prompts)).isDeepEqualTo(expected);
      }
      long[][] few = Continued.by(Decoders.of(quantised).of(prompts, 0), 20);
      assertThat(continued(Onnx.of(quantised), prompts)).isDeepEqualTo(few);
      assertThat(continued(Onnx.withAdapters(qlora), prompts)).isDeepEqualTo(few);
      assertThat(continued(Onnx.of(qlora), prompts))
          .isDeepEqualTo(Continued.by(Decoders.of(qlora).of(prompts, 0), 20));
    }
  }

  private long[][] continued(Exporter exporter, long[][] prompts) throws IOException {
    Path folder = Files.createTempDirectory(dir, "graph");
    exporter.writeFolder(folder);
    exporter.writeGenAi(folder);
    try (OnnxModel graph = OnnxModel.load(folder)) {
      return Continued.by(graph.decoder(prompts, 0), 20);
    }
  }
}
