package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.peft4j.Outputs.distance;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Torch;

/**
 * Arrow routing of several LoRAs, held to Hugging Face PEFT's. The files are made by {@code
 * src/test/python/golden_arrow.py}.
 */
@Tag("fast")
class ArrowTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final Path BASE = GOLDEN.resolve("hf/base/llama");
  private static final Path LORAS = GOLDEN.resolve("arrow");

  @TempDir Path dir;

  private static Tuned three(Pretrained model) {
    return Peft.load(model, LORAS.resolve("a"), "a")
        .load("b", LORAS.resolve("b"))
        .load("c", LORAS.resolve("c"));
  }

  private static NDArray run(Tuned tuned, NDManager manager) throws IOException {
    try (TensorSource io = Safetensors.open(BASE.resolve("io.safetensors"))) {
      NDList in = new NDList(io.load("input_ids", manager), io.load("attention_mask", manager));
      return atTokens(Outputs.of(tuned, in), in.get(1));
    }
  }

  private static NDArray atTokens(NDArray logits, NDArray mask) {
    return logits.mul(mask.toType(DataType.FLOAT32, false).expandDims(2));
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "2, 0.7", "3, 2"})
  void tokens_are_routed_as_hugging_face_does(int topK, double temperature) throws IOException {
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        TensorSource io = Safetensors.open(BASE.resolve("io.safetensors"));
        TensorSource hf = Safetensors.open(LORAS.resolve("logits.safetensors"));
        Tuned tuned = three(model)) {
      NDArray one = run(tuned, manager);
      tuned.route("router", topK, temperature, "a", "b", "c");
      NDArray routed = run(tuned, manager);
      NDArray there = atTokens(hf.load("top_" + topK, manager), io.load("attention_mask", manager));
      assertThat(distance(routed, there)).isLessThan(1e-5f);
      assertThat(distance(routed, one)).as("more than one LoRA acts").isGreaterThan(1e-3f);
      assertThat(tuned.activeAdapters()).containsExactly("router");
      assertThat(distance(run(tuned.use("c"), manager), one)).as("the LoRAs stay").isZero();
    }
  }

  @Test
  void a_router_is_not_trained_merged_or_saved() {
    try (Pretrained model = Models.load(BASE);
        Tuned tuned = three(model)) {
      tuned.route("router", 2, 1, "a", "b", "c");
      assertThat(tuned.trainable()).isEmpty();
      assertThat(tuned.isMergeable()).isFalse();
      assertThat(tuned.toString()).contains("router").contains("2 of [a, b, c] for each token");
      assertThatThrownBy(tuned::merge).hasMessageContaining("arrow");
      assertThatThrownBy(() -> tuned.save(dir))
          .hasMessageContaining("save its LoRAs by their names");
      assertThatThrownBy(() -> tuned.convertToLora("plain", 4)).hasMessageContaining("router");
      assertThatThrownBy(tuned::changes).hasMessageContaining("no weight is the same");
    }
  }

  @Test
  void what_cannot_be_routed_is_refused() {
    try (Pretrained model = Models.load(BASE);
        Tuned tuned = three(model)) {
      tuned.add(
          "other",
          new org.peft4j.reparam.Lora(),
          org.peft4j.spi.Placement.DEFAULT.withTargets(java.util.List.of("k")),
          0);
      assertThatThrownBy(() -> tuned.route("router", 1, 1)).hasMessageContaining("names of LoRAs");
      assertThatThrownBy(() -> tuned.route("router", 1, 1, "a", "other"))
          .hasMessageContaining("LoRAs of the same modules only");
      assertThatThrownBy(() -> tuned.route("router", 3, 1, "a", "b")).hasMessageContaining("top_k");
      assertThatThrownBy(() -> tuned.route("router", 1, 0, "a", "b"))
          .hasMessageContaining("router_temperature");
      assertThatThrownBy(() -> tuned.route("a", 1, 1, "a", "b")).hasMessageContaining("exists");
      assertThatThrownBy(() -> tuned.load("router", LORAS.resolve("router")))
          .hasMessageContaining("a router, whose file has none of its experts");
    }
  }
}
