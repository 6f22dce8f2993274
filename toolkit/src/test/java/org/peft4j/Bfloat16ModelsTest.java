package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.data.Conversations;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Dtype;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;
import org.peft4j.text.TinyTokenizer;
import org.peft4j.train.RunListener;

/** Models whose weights are kept in bfloat16 compute what float32 models of the same numbers do. */
@Tag("fast")
class Bfloat16ModelsTest {
  private static final Conversations ROWS =
      Conversations.of(
          List.of("ab ab?", "abc?", "ab?", "a b c?"), List.of(" abc!", " ab!", " abc abc!", " c!"));

  @TempDir Path dir;

  private Path hugging;
  private Path dense;

  private void prepare(String name) throws Exception {
    hugging = Files.createDirectories(dir.resolve(name));
    Path from = Path.of(getClass().getResource("/golden/hf/base/" + name).toURI());
    for (String file : List.of("config.json", "model.safetensors")) {
      Files.copy(from.resolve(file), hugging.resolve(file));
    }
    TinyTokenizer.write(hugging, TinyTokenizer.BYTE_BPE);
    dense = dir.resolve("dense");
    try (Pretrained model = Models.load(hugging, Dtype.BF16)) {
      model.save(dense, Dtype.F32);
    }
  }

  @BeforeEach
  void llama() throws Exception {
    prepare("llama_tied");
  }

  private static float[] outputs(Block model) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager manager = Torch.newManager()) {
            NDArray ids =
                Buffers.create(manager, new long[] {1, 5, 9, 2, 7, 4, 11, 3}, new Shape(2, 4));
            return model
                .forward(new ParameterStore(manager, false), new NDList(ids), false)
                .get(0)
                .toFloatArray();
          }
        });
  }

  private static void assertClose(float[] actual, float[] expected) {
    assertThat(actual).hasSameSizeAs(expected);
    float largest = 0;
    float difference = 0;
    for (int i = 0; i < expected.length; i++) {
      largest = Math.max(largest, Math.abs(expected[i]));
      difference = Math.max(difference, Math.abs(expected[i] - actual[i]));
    }
    assertThat(difference / largest).as("relative difference").isLessThan(1e-5f);
  }

  @ParameterizedTest
  @ValueSource(strings = {"llama", "llama_bias", "bert", "bert_plain"})
  void a_model_computes_what_its_decoded_weights_do(String name) throws Exception {
    dir = Files.createDirectories(dir.resolve("more"));
    prepare(name);
    try (Pretrained half = Models.load(hugging, Dtype.BF16);
        Pretrained full = Models.load(dense)) {
      assertClose(outputs(half), outputs(full));
    }
  }

  @Test
  void memory_of_the_matrices_is_halved() {
    try (Pretrained half = Models.load(hugging, Dtype.BF16);
        Pretrained full = Models.load(hugging)) {
      assertThat(half.parameters()).isEqualTo(full.parameters());
      long norms = 5 * 32;
      assertThat(half.describe().bytes()).isEqualTo(2 * (full.parameters() + norms));
      assertThat(half.describe().toString()).contains("bf16").doesNotContain("f16 bf16");
      assertThat(half.tensors().get("model.norm.weight").toFloatArray())
          .isEqualTo(full.tensors().get("model.norm.weight").toFloatArray());
    }
  }

  @Test
  void lora_trains_and_merges_as_on_the_decoded_weights() {
    try (Pretrained half = Models.load(hugging, Dtype.BF16);
        Pretrained full = Models.load(dense);
        Tuned a = tuned(half);
        Tuned b = tuned(full)) {
      List<Double> losses = losses(a);
      List<Double> expected = losses(b);
      assertThat(expected.get(5)).isLessThan(expected.get(0));
      for (int i = 0; i < expected.size(); i++) {
        assertThat(losses.get(i) / expected.get(i) - 1).isBetween(-1e-5, 1e-5);
      }
      assertClose(outputs(a), outputs(b));
      try (Pretrained merged = a.merge()) {
        assertClose(outputs(merged), outputs(a));
        assertThat(merged.describe().toString())
            .containsPattern("q_proj .* f32 ")
            .containsPattern("k_proj .* bf16 ");
        merged.save(dir.resolve("merged"));
        try (Pretrained again = Models.load(dir.resolve("merged"))) {
          assertClose(outputs(again), outputs(a));
        }
      }
      float[] before = outputs(a);
      a.mergeInPlace();
      assertClose(outputs(a), before);
      a.unmerge();
      assertThat(outputs(a)).isEqualTo(before);
    }
  }

  private static Tuned tuned(Pretrained model) {
    return Peft.lora(model).rank(4).alpha(8).targets("q", "v", "embed").seed(3).apply();
  }

  private static List<Double> losses(Tuned tuned) {
    return tuned.fit(ROWS).epochs(6).batchSize(4).learningRate(1e-2).quiet().run().steps().stream()
        .map(RunListener.Step::loss)
        .toList();
  }

  @Test
  void a_saved_model_keeps_its_bits() throws Exception {
    Path copy = dir.resolve("copy");
    try (Pretrained half = Models.load(hugging, Dtype.BF16)) {
      half.save(copy);
      try (TensorSource file = Safetensors.open(copy)) {
        assertThat(file.info("model.embed_tokens.weight").dtype()).isEqualTo("BF16");
        assertThat(file.info("model.norm.weight").dtype()).isEqualTo("F32");
      }
      try (Pretrained again = Models.load(copy, Dtype.BF16);
          Pretrained full = Models.load(copy)) {
        assertThat(outputs(again)).isEqualTo(outputs(half));
        assertClose(outputs(full), outputs(half));
      }
    }
  }

  @Test
  void what_cannot_be_done_is_said() {
    assertThatThrownBy(() -> Models.load(hugging, Dtype.Q8_0))
        .hasMessageContaining("expected: f32 or bf16");
    try (Pretrained half = Models.load(hugging, Dtype.BF16)) {
      assertThatThrownBy(() -> half.resizeEmbeddings(80)).hasMessageContaining("float32");
      assertThatThrownBy(() -> Onnx.export(half, dir.resolve("m.onnx")))
          .hasStackTraceContaining("load it in float32 to export it");
    }
  }
}
