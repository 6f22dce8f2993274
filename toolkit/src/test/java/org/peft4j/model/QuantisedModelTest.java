package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.Models;
import org.peft4j.Onnx;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Torch;

/** Models whose linear maps are kept in NF4. */
@Tag("fast")
class QuantisedModelTest {
  private static final Path BASE = Path.of("src/test/resources/golden/hf/base/llama");

  private final NDManager manager = Torch.newManager();
  private final Pretrained model = Models.load(BASE);
  private final Pretrained quantised = model.quantized("nf4");

  @TempDir Path dir;

  @AfterEach
  void close() {
    quantised.close();
    model.close();
    manager.close();
  }

  private float[] run(Pretrained m) {
    NDArray ids = Buffers.create(manager, new long[] {1, 5, 9, 2, 8, 7}, new Shape(2, 3));
    return Torch.inference(
        () ->
            m.forward(new ParameterStore(manager, false), new NDList(ids), false)
                .get(0)
                .toFloatArray());
  }

  @Test
  void it_computes_what_the_decoded_weights_compute_and_leaves_the_model_alone() {
    float[] before = run(model);
    float[] small = run(quantised);
    try (Pretrained decoded = quantised.dequantized()) {
      assertThat(run(decoded)).isEqualTo(small);
    }
    assertThat(run(model)).isEqualTo(before).isNotEqualTo(small);
  }

  @Test
  void it_counts_as_many_parameters_in_less_memory() {
    assertThat(quantised.parameters()).isEqualTo(model.parameters());
    assertThat(quantised.toString()).isEqualTo(model.toString());
    assertThat(quantised.describe().parameters()).isEqualTo(model.parameters());
    assertThat(quantised.describe().bytes()).isLessThan(model.describe().bytes() / 2);
    assertThat(quantised.describe().toString()).contains("nf4");
    assertThat(quantised.describe().toString().lines().filter(l -> l.contains("lm_head")))
        .allMatch(l -> l.contains("f32"));
  }

  @Test
  void it_outlives_the_model_it_was_made_from() {
    float[] small = run(quantised);
    model.close();
    assertThat(run(quantised)).isEqualTo(small);
  }

  @Test
  void a_graph_has_its_weights_decoded() {
    var exported = Onnx.export(quantised, dir.resolve("q.onnx"));
    assertThat(exported.validate().passed()).isTrue();
    assertThat(dir.resolve("q.onnx")).exists();
  }

  @Test
  void what_it_cannot_do_it_says() {
    assertThatThrownBy(() -> quantised.save(dir.resolve("out")))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("quantised")
        .hasMessageContaining("dequantized()");
    assertThat(dir.resolve("out")).doesNotExist();
    assertThatThrownBy(() -> model.quantized("int3"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("[f32, nf4]");
  }
}
