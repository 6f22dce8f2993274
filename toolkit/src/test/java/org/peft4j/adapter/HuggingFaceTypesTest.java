package org.peft4j.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.model.Pretrained;

/** Every type of Hugging Face PEFT is a method here, or says why not. */
@Tag("fast")
class HuggingFaceTypesTest {
  @TempDir Path dir;

  @Test
  void every_type_is_here_or_says_why_not() {
    assertThat(HuggingFaceTypes.all()).hasSize(45);
    Set<String> ours =
        Methods.all().stream().map(m -> m.standard().peftType()).collect(Collectors.toSet());
    for (String type : HuggingFaceTypes.all()) {
      assertThat(ours.contains(type)).as(type).isEqualTo(HuggingFaceTypes.why(type) == null);
      assertThat(HuggingFaceTypes.has(type)).as(type).isTrue();
    }
    assertThat(new TreeSet<>(HuggingFaceTypes.absentTypes())).contains("BONE");
  }

  @Test
  void loading_what_is_not_here_says_what_it_is_and_what_to_use() throws IOException {
    Files.writeString(dir.resolve("adapter_config.json"), "{\"peft_type\": \"BONE\"}");
    Files.copy(
        Path.of("src/test/resources/golden/hf/adapters/bert/loha/adapter_model.safetensors"),
        dir.resolve("adapter_model.safetensors"));
    try (Pretrained model = Models.load(Path.of("src/test/resources/golden/hf/base/bert"))) {
      assertThatThrownBy(() -> Peft.load(model, dir))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("peft_type BONE is not here: the name MiSS had before")
          .hasMessageContaining("train it anew as miss");
    }
  }

  @Test
  void what_a_lora_has_no_place_for_is_refused_with_the_reason() throws IOException {
    Path lora = Path.of("src/test/resources/golden/hf/adapters/bert/lora_default");
    String config = Files.readString(lora.resolve("adapter_config.json"));
    Files.copy(lora.resolve("adapter_model.safetensors"), dir.resolve("adapter_model.safetensors"));
    try (Pretrained model = Models.load(Path.of("src/test/resources/golden/hf/base/bert"))) {
      Map.of(
              "\"layer_replication\": [[0, 2], [1, 2]]",
              "makes the base deeper by repeating its layers",
              "\"target_parameters\": [\"query.bias\"]",
              "expected: weights of linear modules",
              "\"target_parameters\": [\"word_embeddings.weight\"]",
              "whose parameters a LoRA has no place for",
              "\"target_parameters\": [\"nothing.weight\"]",
              "of no module here",
              "\"monteclora_config\": {\"num_sample\": 3}",
              "num_sample = 3")
          .forEach(
              (entry, words) -> {
                String key = entry.substring(0, entry.indexOf(':'));
                String with = config.replaceAll(key + ": [^,]*", Matcher.quoteReplacement(entry));
                write(with);
                assertThatThrownBy(() -> Peft.load(model, dir)).hasMessageContaining(words);
              });
    }
  }

  private void write(String config) {
    try {
      Files.writeString(dir.resolve("adapter_config.json"), config);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
