package org.peft4j.export;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import ai.djl.nn.Block;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.peft4j.Models;
import org.peft4j.Onnx;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.generate.Decoders;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.LoraInit;

/** Models with an encoder as three graphs, which answer with the same tokens as the model. */
@Tag("fast")
class Seq2SeqGraphsTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden/seq2seq");

  @TempDir Path dir;

  @ParameterizedTest
  @CsvSource({"t5, STANDARD", "t5, ORT", "t5_v11, STANDARD", "mt5, ORT"})
  void three_graphs_answer_as_the_model_does(String name, Profile profile) throws Exception {
    Path folder = Graphs.folder(dir, name + "-" + profile);
    try (Pretrained model = Models.load(GOLDEN.resolve(name))) {
      Exported exported = Onnx.of(model).profile(profile).writeFolder(folder);
      assertThat(exported.graphs()).hasSize(3);
      assertThat(exported.validate().passed()).isTrue();
      long[][] sources = {{5, 9, 17, 3, 8, 21, 1}, {7, 4, 1}, {11, 3, 30, 6, 1}};
      try (OnnxModel graphs = OnnxModel.load(folder)) {
        long[][] found = Continued.by(graphs.decoder(sources, 0), 64);
        assertThat(found)
            .isDeepEqualTo(
                Continued.by(Decoders.answering(model, model.decoderStart()).of(sources, 0), 64));
      }
    }
  }

  @Test
  void a_merged_model_becomes_three_graphs_too() throws Exception {
    Path folder = Graphs.folder(dir, "merged");
    try (Pretrained model = Models.load(GOLDEN.resolve("t5"));
        Tuned tuned = Peft.lora(model).rank(4).targets("all-linear").init(LoraInit.RANDOM).apply();
        Pretrained merged = tuned.merge()) {
      Onnx.of(tuned).writeFolder(folder);
      long[][] sources = {{5, 9, 17, 3, 8, 21, 1}, {7, 4, 1}};
      try (OnnxModel graphs = OnnxModel.load(folder)) {
        assertThat(continued(graphs, sources)).isDeepEqualTo(continued(model, merged, sources));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Profile.class)
  void adapters_are_swapped_on_three_graphs(Profile profile) throws Exception {
    Path folder = Graphs.folder(dir, "places");
    long[][] sources = {{5, 9, 17, 3, 8, 21, 1}, {7, 4, 1}};
    try (Pretrained model = Models.load(GOLDEN.resolve("t5"));
        Tuned all = random(model, 4, "all-linear");
        Tuned encoder = random(model, 2, "regex:encoder.*\\.q");
        Tuned decoder = random(model, 3, "regex:decoder.*\\.wi");
        Tuned wider = random(model, 3, "regex:decoder.*\\.wi", "lm_head")) {
      Onnx.withAdapters(all).profile(profile).writeFolder(folder);
      List<Tuned> tuned = List.of(all, encoder, decoder);
      try (OnnxModel graphs = OnnxModel.load(folder)) {
        for (int i = 0; i < tuned.size(); i++) {
          Path file = dir.resolve(i + ".onnx_adapter");
          Onnx.adapter(tuned.get(i), "default", file);
          graphs.adapter("a" + i, file);
        }
        assertThat(continued(graphs, sources)).isDeepEqualTo(continued(model, model, sources));
        for (int i = 0; i < tuned.size(); i++) {
          long[][] expected = continued(model, tuned.get(i), sources);
          assertThat(continued(graphs.use("a" + i), sources)).as("a%d", i).isDeepEqualTo(expected);
          boolean acts = !Arrays.deepEquals(expected, continued(model, model, sources));
          assertThat(acts).as("a%d acts", i).isTrue();
        }
        assertThat(continued(graphs, sources)).isDeepEqualTo(continued(model, model, sources));
        Path file = dir.resolve("wider.onnx_adapter");
        Onnx.adapter(wider, "default", file);
        assertThatIllegalArgumentException()
            .isThrownBy(() -> graphs.adapter("wider", file))
            .withMessageContainingAll("does not fit places", "unknown: \"lm_head.lora_A.weight\"");
        assertThatIllegalArgumentException()
            .isThrownBy(() -> graphs.adapter("a0", file))
            .withMessageContaining("not in use yet");
      }
    }
  }

  private static Tuned random(Pretrained model, int rank, String... targets) {
    return Peft.lora(model)
        .rank(rank)
        .alpha(8 * rank)
        .targets(targets)
        .init(LoraInit.RANDOM)
        .apply();
  }

  private static long[][] continued(OnnxModel graphs, long[][] sources) {
    return Continued.by(graphs.decoder(sources, 0), 20);
  }

  private static long[][] continued(Pretrained model, Block block, long[][] sources) {
    return Continued.by(Decoders.answering(block, model.decoderStart()).of(sources, 0), 20);
  }
}
