package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.peft4j.Outputs.distance;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.model.Pretrained;
import org.peft4j.model.Untrained;
import org.peft4j.tensor.Torch;

/** A smaller model beside the model. */
@Tag("fast")
class ShadowTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");

  @TempDir Path dir;

  private static Pretrained llama() {
    return Untrained.llama(3, 32, List.of("one two three four five six seven eight"));
  }

  @Test
  void an_untrained_one_leaves_the_model_as_it_is_until_it_moves() {
    try (Pretrained model = llama();
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.shadow(model).rank(4).layers(1, 2).apply()) {
      NDArray before = logits(model, manager);
      assertThat(distance(logits(tuned, manager), before)).isZero();
      assertThat(distance(logits(tuned.learning().detached(), manager), before))
          .isGreaterThan(1e-3f);
      Noise.on(tuned);
      assertThat(distance(logits(tuned, manager), before)).isGreaterThan(1e-4f);
      assertThat(distance(logits(tuned.disable(), manager), before)).isZero();
    }
  }

  @Test
  void it_has_a_layer_of_the_models_kind_and_small_matrices_at_each() {
    try (Pretrained model = llama();
        Tuned tuned = Peft.shadow(model).rank(4).apply()) {
      long layer =
          4L * 32 * 32 + 3L * 32 * 96 + 3 * 32; // attention, gated part, norms and the last
      long injection = 2L * 4 * 32;
      long update = 2L * (32 * 4 + 4 + 4 * 32 + 32);
      assertThat(tuned.trainableParameters()).isEqualTo(layer + 3 * injection + 2 * update);
    }
  }

  @Test
  void a_classifier_has_a_second_head_for_it() {
    try (Pretrained model = Models.load(GOLDEN.resolve("hf/base/bert"));
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.shadow(model).rank(4).apply()) {
      NDArray before = logits(tuned.learning().detached(), manager);
      assertThat(before.getShape()).isEqualTo(logits(tuned, manager).getShape());
      tuned
          .trainable()
          .forEach(
              (name, p) -> {
                if (name.contains("shadow_head")) {
                  p.getArray().muli(2);
                }
              });
      assertThat(distance(logits(tuned.learning().detached(), manager), before))
          .isGreaterThan(1e-4f);
      assertThat(distance(logits(tuned, manager), logits(model, manager))).isZero();
    }
  }

  @Test
  void a_model_that_labels_tokens_has_no_second_head() {
    try (Pretrained model = Models.load(GOLDEN.resolve("encoders/bert_tokens"));
        Tuned tuned = Peft.shadow(model).rank(4).apply()) {
      assertThat(tuned.trainable().keySet())
          .isNotEmpty()
          .noneMatch(name -> name.contains("shadow_head"));
    }
  }

  @Test
  void models_without_a_smaller_one_of_their_kind_are_refused() {
    for (String name : List.of("hf/base/t5", "families/mixtral")) {
      try (Pretrained model = Models.load(GOLDEN.resolve(name))) {
        assertThatThrownBy(() -> Peft.shadow(model).apply())
            .hasMessageContaining("a second, smaller model of the same kind")
            .hasMessageContaining("fix: use pfeiffer");
      }
    }
  }

  @Test
  void layers_with_a_gap_are_refused() {
    try (Pretrained model = llama()) {
      assertThatThrownBy(() -> Peft.shadow(model).layers(0, 2).apply())
          .hasMessageContaining("neighbours, without a gap")
          .hasMessageContaining("found: [0, 2]");
    }
  }

  @Test
  void virtual_tokens_beside_it_are_refused() {
    try (Pretrained model = llama();
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.shadow(model).apply()) {
      Peft.promptTuning(tuned).named("prompt").tokens(2).apply();
      tuned.use("default", "prompt");
      assertThatThrownBy(() -> logits(tuned, manager))
          .hasMessageContaining("it reads the text's own tokens")
          .hasMessageContaining("without adapters that put virtual tokens in front");
    }
  }

  @Test
  void two_of_them_are_refused() {
    try (Pretrained model = llama();
        Tuned tuned = Peft.shadow(model).apply()) {
      Peft.shadow(tuned).named("other").apply();
      assertThatThrownBy(() -> tuned.use("default", "other"))
          .hasMessageContaining("each reads texts a second time");
    }
  }

  @Test
  void detached_it_is_a_model_that_can_be_saved_and_loaded() {
    try (Pretrained model = llama();
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.shadow(model).mirror(2, 16, 2, 24).apply()) {
      Noise.on(tuned);
      Pretrained alone = tuned.detach();
      NDArray there = logits(tuned.learning().detached(), manager);
      assertThat(distance(logits(alone, manager), there)).isLessThan(1e-5f);
      alone.save(dir.resolve("small"));
      alone.close();
      try (Pretrained again = Models.load(dir.resolve("small"))) {
        assertThat(distance(logits(again, manager), there)).isLessThan(1e-5f);
        assertThat(again.tokenizer().vocabularySize()).isEqualTo(10);
      }
    }
  }

  @Test
  void a_narrow_one_behind_a_pooler_cannot_stand_alone() {
    try (Pretrained model = Models.load(GOLDEN.resolve("hf/base/bert"));
        Tuned tuned = Peft.shadow(model).mirror(1, 8, 2, 12).apply()) {
      assertThatThrownBy(tuned::detach)
          .hasMessageContaining("what is beside it cannot stand alone")
          .hasMessageContaining("pooler")
          .hasMessageContaining("fix: train with a mirror as wide as the model");
    }
  }

  @Test
  void without_one_there_is_nothing_to_detach() {
    try (Pretrained model = llama();
        NDManager manager = Torch.newManager();
        Tuned tuned = Peft.lora(model).rank(2).apply()) {
      assertThatThrownBy(() -> logits(tuned.learning().detached(), manager))
          .hasMessageContaining("no active adapter has a network of its own");
      assertThatThrownBy(tuned::detach).hasMessageContaining("nothing to detach");
    }
  }

  @Test
  void a_file_names_its_layers_as_hugging_face_reads_them() throws IOException {
    try (Pretrained model = llama()) {
      try (Tuned tuned = Peft.shadow(model).layers(1, 2).apply()) {
        tuned.save(dir);
      }
      Path file = dir.resolve("adapter_config.json");
      String config = Files.readString(file);
      assertThat(config.replaceAll("\\s+", ""))
          .contains("\"target_modules\":[\"model.layers.1\",\"model.layers.2\"]");
      for (String same : List.of("\".*layers\\\\.[12]\"", "[\"1\", \"layers.2\"]")) {
        Files.writeString(file, targets(config, same));
        try (Tuned again = Peft.load(model, dir)) {
          assertThat(again.adapters()).hasSize(1);
        }
      }
      Files.writeString(file, targets(config, "[\"q_proj\"]"));
      assertThatThrownBy(() -> Peft.load(model, dir))
          .hasMessageContaining("target_modules")
          .hasMessageContaining("found: [q_proj]");
      Files.writeString(file, config.replace("\"mirror\"", "\"some/model\""));
      assertThatThrownBy(() -> Peft.load(model, dir))
          .hasMessageContaining("shadow_model")
          .hasMessageContaining("found: some/model");
    }
  }

  private static String targets(String config, String names) {
    return config.replaceAll(
        "(?s)\"target_modules\": \\[.*?\\]",
        java.util.regex.Matcher.quoteReplacement("\"target_modules\": " + names));
  }

  private static NDArray logits(Block model, NDManager manager) {
    return Outputs.of(model, manager, new long[][] {{4, 5, 3, 2}, {6, 7, 5, 1}});
  }
}
