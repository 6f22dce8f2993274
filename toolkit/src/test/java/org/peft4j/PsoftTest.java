package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Torch;

/** PSOFT's files with the directions that it turns, and without them as Hugging Face has them. */
@Tag("fast")
class PsoftTest {
  private static final Path BASE = Path.of("src/test/resources/golden/hf/base/llama");
  private static final String TENSORS = "adapter_model.safetensors";

  @Test
  void directions_that_a_file_does_not_have_are_computed_again(@TempDir Path dir)
      throws IOException {
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.psoft(model).targets("q", "up").apply()) {
      Noise.on(tuned);
      tuned.save(dir);
      assertThat(strip(dir.resolve(TENSORS), manager)).isEqualTo(2 * 4);
      try (Tuned again = Peft.load(model, dir)) {
        assertThat(again.method("default")).isEqualTo(tuned.method("default"));
        NDArray difference = logits(again, manager).sub(logits(tuned, manager));
        assertThat(difference.abs().max().getFloat()).isZero();
      }
    }
  }

  /** Takes the directions out; returns how many tensors they were. */
  private static int strip(Path file, NDManager manager) throws IOException {
    Map<String, NDArray> left = new LinkedHashMap<>();
    int all;
    try (TensorSource source = Safetensors.open(file)) {
      all = source.names().size();
      source.names().stream()
          .filter(n -> !n.matches(".*\\.psoft_[AB]"))
          .forEach(n -> left.put(n, source.load(n, manager)));
    }
    Safetensors.write(file, left, Map.of("format", "pt"));
    return all - left.size();
  }

  private static NDArray logits(Tuned tuned, NDManager manager) {
    NDList in = new NDList(manager.create(new long[][] {{4, 9, 11, 3}}));
    return Torch.inference(
        () -> tuned.forward(new ParameterStore(manager, false), in, false).get(0));
  }
}
