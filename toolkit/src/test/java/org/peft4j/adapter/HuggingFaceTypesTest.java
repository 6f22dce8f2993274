package org.peft4j.adapter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
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
    assertThat(new TreeSet<>(HuggingFaceTypes.absentTypes())).containsAll(List.of("LILY", "BONE"));
  }

  @Test
  void loading_what_is_not_here_says_what_it_is_and_what_to_use() throws IOException {
    Files.writeString(dir.resolve("adapter_config.json"), "{\"peft_type\": \"LILY\"}");
    Files.copy(
        Path.of("src/test/resources/golden/hf/adapters/bert/loha/adapter_model.safetensors"),
        dir.resolve("adapter_model.safetensors"));
    try (Pretrained model = Models.load(Path.of("src/test/resources/golden/hf/base/bert"))) {
      assertThatThrownBy(() -> Peft.load(model, dir))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("peft_type LILY is not here: experts mixed by the whole batch")
          .hasMessageContaining("fix: use lora");
    }
  }
}
