package org.peft4j.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.peft4j.Outputs.distance;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.model.Pretrained;
import org.peft4j.spi.Kind;
import org.peft4j.tensor.Torch;

/** Adapters of other methods as plain LoRAs. */
@Tag("fast")
class ConversionTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden/hf");

  @TempDir Path dir;

  private static NDArray run(Block model, NDManager manager) {
    NDArray ids = manager.create(new long[][] {{4, 9, 11, 3}, {8, 7, 5, 2}});
    return Torch.inference(
        () ->
            model
                .forward(new ParameterStore(manager, false), new NDList(ids), false)
                .singletonOrThrow());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bert/dora",
        "bert/dora_embedding",
        "bert/lora_rslora",
        "bert/loha",
        "bert/lokr_both",
        "llama/dora_rslora",
        "llama/ia3",
        "llama/vera",
        "llama/lora_patterns"
      })
  void the_whole_effect_is_kept_where_the_rank_allows_it(String name) {
    Path base = GOLDEN.resolve("base").resolve(name.substring(0, name.indexOf('/')));
    try (Pretrained model = Models.load(base);
        Tuned tuned = Peft.load(model, GOLDEN.resolve("adapters").resolve(name));
        NDManager manager = Torch.newManager()) {
      NDArray expected = run(tuned, manager);
      Conversion.Report report = tuned.convertToLora("plain", 64, 1);
      assertThat(report.leastEnergy()).isGreaterThan(0.99999);
      assertThat(tuned.activeAdapters()).containsExactly("plain");
      assertThat(distance(run(tuned, manager), expected)).isLessThan(2e-5f);
      tuned.delete("default");
      tuned.save(dir);
      try (Tuned read = Peft.load(model, dir.resolve("plain"))) {
        assertThat(read.method("default").peftType()).isEqualTo("LORA");
        assertThat(distance(run(read, manager), expected)).isLessThan(2e-5f);
      }
    }
  }

  @Test
  void fewer_directions_keep_what_they_say() {
    try (Pretrained model = Models.load(GOLDEN.resolve("base/bert"));
        Tuned tuned = Peft.load(model, GOLDEN.resolve("adapters/bert/loha"))) {
      Conversion.Report two = tuned.convertToLora("two", 2);
      assertThat(two.sites()).allMatch(k -> k.rank() == 2 && k.energy() < 0.9999);
      tuned.use("default");
      Conversion.Report most = tuned.convertToLora("most", 64, 0.9);
      assertThat(most.sites()).allMatch(k -> k.energy() >= 0.9 && k.rank() < 9);
      assertThat(most.toString()).startsWith("LoRA at 4 sites");
    }
  }

  @Test
  void what_a_lora_cannot_do_is_refused() {
    try (Pretrained model = Models.load(GOLDEN.resolve("base/bert"))) {
      try (Tuned tuned = Peft.lnTuning(model).apply()) {
        assertThatThrownBy(() -> tuned.convertToLora("plain", 4))
            .hasMessageContaining(Kind.NORM.toString());
        assertThat(tuned.adapters()).containsExactly("default");
      }
      try (Tuned tuned = Peft.promptTuning(model).apply()) {
        assertThatThrownBy(() -> tuned.convertToLora("plain", 4))
            .hasMessageContaining("changes no weights");
      }
      try (Tuned tuned = Peft.load(model, GOLDEN.resolve("adapters/bert/lora_bias_only"))) {
        assertThatThrownBy(() -> tuned.convertToLora("plain", 4)).hasMessageContaining("bias");
      }
    }
  }
}
