package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Torch;
import org.peft4j.train.RunListener;

/** AdaMSS's clusters, which files of Hugging Face's do not have, and its budget. */
@Tag("fast")
class AdamssTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final Path BASE = GOLDEN.resolve("hf/base/llama");
  private static final String TENSORS = "adapter_model.safetensors";

  @TempDir Path dir;

  @Test
  void a_file_whose_clusters_other_weights_do_not_give_is_refused() {
    try (Pretrained other = Models.load(GOLDEN.resolve("hf/base/llama_tied"))) {
      assertThatThrownBy(
              () -> Peft.load(other, GOLDEN.resolve("methods/adapters/llama/adamss_ranks")))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContainingAll(
              "q_proj: the file does not say which output is in which cluster",
              "expected: clusters of [",
              "found: [",
              "fix: load it onto the weights it was trained on");
    }
  }

  @Test
  void directions_in_which_all_outputs_are_equally_far_apart_need_the_clusters_in_the_file()
      throws IOException {
    try (Pretrained model = Models.load(BASE);
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.adamss(model).targets("q").apply()) {
      Noise.on(tuned);
      tuned.save(dir);
      try (Tuned again = Peft.load(model, dir)) {
        assertThat(logits(again, manager)).isEqualTo(logits(tuned, manager));
      }
      strip(dir.resolve(TENSORS), manager);
      assertThatThrownBy(() -> Peft.load(model, dir))
          .hasMessageContainingAll(
              "is left to chance here",
              "expected: an r below the number of outputs, 32\nfound: 100",
              "fix: train it anew with a smaller r");
    }
  }

  @Test
  void clusters_that_the_budget_leaves_out_stay_as_they_are() {
    try (Pretrained model = Models.load(BASE);
        Tuned tuned =
            Peft.adamss(model)
                .directions(8)
                .clusters(4)
                .budget(3, 2, 6, 2)
                .targets("q", "v")
                .apply()) {
      List<Long> changing = new ArrayList<>();
      Map<String, float[]> before = new LinkedHashMap<>();
      tuned
          .fit(new FewTexts(AdamssTest::ids, List.of(40L)))
          .epochs(8)
          .batchSize(1)
          .learningRate(0.02)
          .warmup(0)
          .listen(
              new RunListener() {
                @Override
                public void onStep(Step step) {
                  changing.add(changed(tuned, before));
                }
              })
          .quiet()
          .run();
      // 2 layers, 2 sites, 4 clusters; half way (16 - 3) / 2^3 more than the 3 of the end
      assertThat(changing).containsExactly(16L, 16L, 16L, 16L, 4L, 4L, 3L, 3L);
    }
  }

  /** How many clusters have another B than before. */
  private static long changed(Tuned tuned, Map<String, float[]> before) {
    long n = 0;
    for (String name : tuned.trainable().keySet()) {
      if (name.contains(".adamss_B.")) {
        float[] now = tuned.trainable().get(name).getArray().toFloatArray();
        n += Arrays.equals(before.put(name, now), now) ? 0 : 1;
      }
    }
    return n;
  }

  private static void strip(Path file, NDManager manager) throws IOException {
    Map<String, NDArray> left = new LinkedHashMap<>();
    try (TensorSource source = Safetensors.open(file)) {
      source.names().stream()
          .filter(n -> !n.endsWith(".adamss_places"))
          .forEach(n -> left.put(n, source.load(n, manager)));
      assertThat(left).hasSizeLessThan(source.names().size());
    }
    Safetensors.write(file, left, Map.of("format", "pt"));
  }

  private static NDList ids(NDManager manager) {
    return new NDList(manager.create(new long[][] {{4, 9, 11, 3}}));
  }

  private static float[] logits(Tuned tuned, NDManager manager) {
    return Torch.inference(
        () ->
            tuned
                .forward(new ParameterStore(manager, false), ids(manager), false)
                .get(0)
                .toFloatArray());
  }
}
