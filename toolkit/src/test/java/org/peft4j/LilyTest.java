package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Torch;

/** Which modules share what in Lily, and what cannot be done with it. */
@Tag("fast")
class LilyTest {
  private static final Path BASE = Path.of("src/test/resources/golden/hf/base/llama");

  @TempDir Path dir;

  private static NDArray logits(Block model, NDManager manager, long[][] ids) {
    return Outputs.of(model, new NDList(manager.create(ids)));
  }

  /** Of 2 layers: q 32 to 32 and v 32 to 16. */
  @Test
  void modules_of_one_name_share_b_and_those_of_a_stride_share_a() {
    try (Pretrained model = Models.load(BASE);
        Tuned own = Peft.lily(model).rank(4).experts(3).targets("q", "v").apply();
        Tuned shared = Peft.lily(model).rank(4).experts(3).stride(2).targets("q", "v").apply()) {
      long routers = 4L * 3 * 4;
      long up = 3L * 4 * (32 + 16);
      assertThat(own.trainableParameters()).isEqualTo(routers + up + 4L * 4 * 32);
      assertThat(shared.trainableParameters()).isEqualTo(routers + up + 2L * 4 * 32);
      assertThat(Peft.lily(model).rank(4).experts(3).stride(2).targets("q", "v").toString())
          .contains(String.format("%,d parameters", shared.trainableParameters()));
    }
  }

  @Test
  void what_a_text_gives_depends_on_those_beside_it() {
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.lily(model).rank(4).apply()) {
      Noise.on(tuned);
      long[] text = {5, 7, 9, 20};
      NDArray alone = logits(tuned, manager, new long[][] {text}).get(0);
      NDArray beside = logits(tuned, manager, new long[][] {text, {40, 3, 41, 8}}).get(0);
      assertThat(alone.sub(beside).abs().max().getFloat()).isGreaterThan(1e-4f);
    }
  }

  @Test
  void nothing_asks_for_its_weights_in_vain() {
    try (Pretrained model = Models.load(BASE);
        Pretrained quantised = model.quantized("nf4");
        Tuned tuned = Peft.lily(model).rank(4).apply();
        Tuned small = Peft.lily(quantised).rank(4).apply()) {
      refuses(tuned::merge, "merge: adapter 'default' (lily) acts on what flows", "fix: keep it");
      refuses(small::merge, "merge: adapter 'default' (lily) acts on what flows", "fix: keep it");
      refuses(tuned::mergeInPlace, "merge: adapter 'default' (lily)");
      refuses(() -> tuned.convertToLora("lora", 4), "convert: adapter 'default' (lily)");
      refuses(tuned::changes, "lily: no weight is the same for all batches", "fix: use lora");
      refuses(
          () -> tuned.saveGguf(dir.resolve("x.gguf"), org.peft4j.model.Dtype.F16), "lily", "LoRA");
    }
  }

  @Test
  void a_block_that_asks_for_its_weights_is_told_what_to_use() {
    try (NDManager manager = Torch.newManager()) {
      Linear linear = Linear.builder().setUnits(3).build();
      linear.initialize(manager, ai.djl.ndarray.types.DataType.FLOAT32, new Shape(2, 5));
      try (Tuned tuned = Peft.lily(linear).rank(2).apply()) {
        refuses(
            () ->
                tuned.forward(
                    new ParameterStore(manager, false),
                    new NDList(manager.ones(new Shape(2, 5))),
                    false),
            "lily: no weight is the same for all batches",
            "fix: use lora");
      }
    }
  }

  @Test
  void a_file_whose_shared_tensors_differ_is_refused() throws IOException {
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.lily(model).rank(4).targets("q").apply()) {
      Noise.on(tuned);
      tuned.save(dir);
      Path file = dir.resolve("adapter_model.safetensors");
      String key = "base_model.model.model.layers.1.self_attn.q_proj.lily_B.weight";
      Map<String, NDArray> tensors = new LinkedHashMap<>();
      try (TensorSource source = Safetensors.open(file)) {
        source.names().forEach(n -> tensors.put(n, source.load(n, manager)));
      }
      tensors.computeIfPresent(key, (k, v) -> v.mul(2));
      Safetensors.write(file, tensors, Map.of("format", "pt"));
      assertThatThrownBy(() -> Peft.load(model, dir))
          .hasMessageContaining(key + ": differs from")
          .hasMessageContaining("layers.0.self_attn.q_proj.lily_B.weight");
    }
  }

  private static void refuses(ThrowingCallable work, String... words) {
    assertThatThrownBy(work)
        .isInstanceOfAny(IllegalStateException.class, IllegalArgumentException.class)
        .message()
        .contains(words);
  }
}
