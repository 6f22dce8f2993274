package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.model.Pretrained;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Site;

/** Which parts of a model are trained: SPAFIT's groups, top layers, the head alone. */
@Tag("fast")
class PartsOfModelsTest {
  private static final Path BASES = Path.of("src/test/resources/golden/hf/base");

  @TempDir Path dir;

  /**
   * BERT-large's shape, thirds of 24 layers. Biases of a layer: four projections of 1024, 4096 and
   * 1024 of the feed-forward part, two normalisations; LoRA of rank 8 on q and v.
   */
  @Test
  void spafit_on_24_layers_of_1024() {
    long biases = 4 * 1024 + 4096 + 1024 + 2 * 1024;
    long lora = 2 * 8 * (1024 + 1024);
    Pretrained large = Models.meta("roberta-large");
    assertThat(Peft.spafit(large).toString())
        .contains(String.format("%,d parameters", 16 * biases + 8 * lora));
    assertThat(Peft.spafit(large).groups(5, 10).rank(4).loraTargets("q", "v", "fc1").toString())
        .contains(
            String.format("%,d parameters", 19 * biases + 14 * (lora / 2 + 4 * (1024 + 4096))));
  }

  @Test
  void spafit_trains_what_its_groups_say_and_comes_back_from_its_file() {
    try (Pretrained model = Models.load(BASES.resolve("bert"));
        Tuned tuned = Peft.spafit(model).groups(0, 1).loraTargets("q").rank(2).apply()) {
      Set<String> trained = names(tuned);
      assertThat(trained)
          .contains("bert.encoder.layer.0.attention.self.query.bias")
          .contains("bert.encoder.layer.0.output.LayerNorm.bias")
          .contains("bert.encoder.layer.1.attention.self.query.lora_A.weight")
          .contains("bert.encoder.layer.1.attention.self.query.bias")
          .noneMatch(n -> n.contains("layer.0") && n.contains("lora"))
          .noneMatch(n -> n.contains("value.lora"))
          .allMatch(n -> n.contains("encoder.layer."));
      tuned.save(dir);
      try (Tuned again = Peft.load(model, dir)) {
        assertThat(names(again)).isEqualTo(trained);
      }
    }
    try (Pretrained model = Models.load(BASES.resolve("bert"));
        Tuned tuned = Peft.spafit(model).groups(1, 1).apply()) {
      assertThat(names(tuned)).allMatch(n -> n.contains("encoder.layer.1."));
      assertThatThrownBy(() -> Peft.spafit(model).groups(2, 1))
          .hasMessageContaining("groups")
          .hasMessageContaining("2 and 1");
      assertThatThrownBy(() -> Peft.spafit(model).groups(5, 6).targets("q").apply())
          .hasMessageContaining("nothing would be trained");
    }
  }

  /** A bias that a method has for its own is not trained twice. */
  @Test
  void biases_are_trained_once() {
    try (Pretrained model = Models.load(BASES.resolve("bert"));
        Tuned once = Peft.bitfit(model).apply();
        Tuned twice = Peft.bitfit(model).bias(Placement.Bias.ALL).apply()) {
      assertThat(twice.trainableParameters()).isEqualTo(once.trainableParameters());
    }
  }

  @Test
  void top_layers_are_the_last_ones_and_all_behind_them() {
    try (Pretrained model = Models.load(BASES.resolve("bert"))) {
      List<String> top = paths(Peft.full(model).topLayers(1).sites());
      assertThat(top)
          .contains("bert.encoder.layer.1.attention.self.query", "bert.pooler.dense", "classifier")
          .noneMatch(p -> p.contains("layer.0") || p.contains("embeddings"));
      assertThat(paths(Peft.full(model).topLayers(2).sites()))
          .noneMatch(p -> p.contains("embeddings"))
          .anyMatch(p -> p.contains("layer.0"));
      assertThatThrownBy(() -> Peft.full(model).topLayers(3))
          .hasMessageContaining("1 to the number of layers, 2");
    }
    try (Pretrained tied = Models.load(BASES.resolve("llama_tied"));
        Tuned tuned = Peft.full(tied).topLayers(1).apply()) {
      assertThat(names(tuned))
          .contains("model.layers.1.mlp.up_proj.weight", "model.norm.weight")
          .noneMatch(n -> n.contains("layers.0") || n.contains("embed_tokens"))
          .noneMatch(n -> n.contains("lm_head"));
    }
  }

  @Test
  void the_head_alone_an_old_one_or_a_new_one() {
    try (Pretrained model = Models.load(BASES.resolve("bert"));
        Tuned old = Peft.full(model).headOnly().apply()) {
      assertThat(names(old)).containsExactlyInAnyOrder("classifier.weight", "classifier.bias");
    }
    try (Pretrained plain = Models.load(BASES.resolve("bert_plain"));
        Pretrained model = plain.classify(List.of("a", "b"));
        Tuned fresh = Peft.full(model).headOnly().apply()) {
      assertThat(names(fresh)).containsExactlyInAnyOrder("classifier.weight", "classifier.bias");
      fresh.save(dir);
      try (Tuned again = Peft.load(plain, dir)) {
        assertThat(names(again)).isEqualTo(names(fresh));
      }
    }
  }

  private static Set<String> names(Tuned tuned) {
    return tuned.trainable().keySet().stream()
        .map(n -> n.substring(n.indexOf(':') + 1))
        .collect(Collectors.toSet());
  }

  private static List<String> paths(List<Site> sites) {
    return sites.stream().map(Site::path).toList();
  }
}
