package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.peft4j.tensor.Torch;

/** A model's own dropout, chosen after loading. */
@Tag("fast")
class DropoutTest {
  private static final Path ROOT = Path.of("src/test/resources/golden");

  private static float gap(Pretrained model) {
    return Torch.inference(
        () -> {
          try (NDManager manager = Torch.newManager()) {
            NDArray ids = manager.create(new long[][] {{4, 9, 11, 3}});
            ParameterStore store = new ParameterStore(manager, false);
            NDArray trained = model.forward(store, new NDList(ids), true).get(0);
            NDArray plain = model.forward(store, new NDList(ids), false).get(0);
            return trained.sub(plain).abs().max().getFloat();
          }
        });
  }

  @ParameterizedTest
  @CsvSource({
    "encoders/roberta, hidden_dropout_prob",
    "encoders/distilbert, attention_dropout",
    "encoders/modernbert, mlp_dropout",
    "encoders/deberta, attention_probs_dropout_prob",
    "families/llama, attention_dropout",
    "gpt2/lm, resid_pdrop"
  })
  void a_probability_for_all_of_it(String name, String key) {
    try (Pretrained model = Loader.directory(ROOT.resolve(name));
        Pretrained none = model.withDropout(0);
        Pretrained half = model.withDropout(0.5)) {
      float before = gap(model);
      assertThat(gap(none)).isZero();
      assertThat(gap(half)).isGreaterThan(1e-2f);
      assertThat(gap(model)).as("the model itself").isEqualTo(before);
      assertThat(half.config().number(key, -1)).isEqualTo(0.5);
      assertThat(half.parameters()).isEqualTo(model.parameters());
    }
  }

  @Test
  void a_head_with_a_dropout_comes_after_it() {
    try (Pretrained model = Loader.directory(ROOT.resolve("encoders/roberta"));
        Pretrained classifier = model.withDropout(0).classify(List.of("a", "b"))) {
      assertThat(gap(classifier)).isZero();
      assertThatThrownBy(() -> classifier.withDropout(0.1)).hasMessageContaining("before classify");
      assertThatThrownBy(() -> model.withDropout(1)).hasMessageContaining("dropout");
    }
  }
}
