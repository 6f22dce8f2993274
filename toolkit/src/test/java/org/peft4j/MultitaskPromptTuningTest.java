package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.peft4j.Outputs.distance;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.model.Pretrained;
import org.peft4j.tensor.Torch;

/** One prompt with factors for each task. */
@Tag("fast")
class MultitaskPromptTuningTest {
  private static final Path BASES = Path.of("src/test/resources/golden/hf/base");

  @Test
  void texts_of_one_batch_are_of_tasks_of_their_own() {
    try (Pretrained model = Models.load(BASES.resolve("llama"));
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.multitaskPromptTuning(model).tokens(3).tasks(3).apply()) {
      Noise.on(tuned);
      NDArray both = logits(tuned.task(2, 0), manager);
      NDArray second = logits(tuned.task(2), manager);
      NDArray zeroth = logits(tuned.task(0), manager);
      assertThat(distance(both.get(0), second.get(0))).isLessThan(1e-5f);
      assertThat(distance(both.get(1), zeroth.get(1))).isLessThan(1e-5f);
      assertThat(distance(second, zeroth)).isGreaterThan(1e-4f);
    }
  }

  @Test
  void the_task_must_be_one_of_those_there_are() {
    try (Pretrained model = Models.load(BASES.resolve("bert"));
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.multitaskPromptTuning(model).tasks(2).apply()) {
      assertThatThrownBy(() -> logits(tuned, manager))
          .hasMessageContaining("numbers from 0 to 1")
          .hasMessageContaining("found: none");
      assertThatThrownBy(() -> logits(tuned.task(2), manager)).hasMessageContaining("found: [2]");
      assertThatThrownBy(() -> logits(tuned.task(1, 1, 0), manager))
          .hasMessageContaining("each of 2 texts");
    }
  }

  @Test
  void models_whose_decoders_it_would_act_in_by_half_are_refused() {
    try (Pretrained model = Models.load(BASES.resolve("t5"))) {
      assertThatThrownBy(() -> Peft.multitaskPromptTuning(model).apply())
          .hasMessageContaining("for models of one stack")
          .hasMessageContaining("fix: use prompt_tuning");
    }
  }

  private static NDArray logits(Block model, NDManager manager) {
    return Outputs.of(model, manager, new long[][] {{4, 9, 11, 3}, {8, 7, 5, 21}});
  }
}
