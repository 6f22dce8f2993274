package org.peft4j.export;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.peft4j.Models;
import org.peft4j.Onnx;
import org.peft4j.RealModels;
import org.peft4j.format.Json;
import org.peft4j.generate.Generated;
import org.peft4j.generate.Generator;
import org.peft4j.model.Pretrained;

/**
 * A real language model as a graph answers as transformers lets it. Skipped without {@code
 * PEFT4J_MODELS}; the same paths are tested on small models in {@link CausalGraphTest}.
 */
@Tag("model")
class SmolLm2GraphTest {
  @TempDir Path dir;

  @ParameterizedTest
  @EnumSource(Profile.class)
  void greedy_answers_are_those_of_transformers(Profile profile) throws Exception {
    Path reference = RealModels.smolLm2().resolve("reference.json");
    try (Pretrained model = Models.load(RealModels.smolLm2Weights())) {
      Onnx.of(model).profile(profile).writeFolder(dir);
    }
    try (OnnxModel graph = Onnx.model(dir)) {
      Generator generator = graph.generator().maxTokens(48);
      for (Object o : (List<?>) Objects.requireNonNull(Json.read(reference).get("greedy"))) {
        Map<?, ?> c = (Map<?, ?>) o;
        String prompt = String.valueOf(c.get("prompt"));
        Generated answer = generator.chat(prompt);
        assertThat(answer.tokens()).as(prompt).isEqualTo(c.get("new_ids"));
        assertThat(answer.text()).as(prompt).isEqualTo(c.get("text"));
      }
    }
  }

  @Test
  void in_four_bits_it_is_less_than_half_the_size_and_still_knows_paris() throws Exception {
    try (Pretrained model = Models.load(RealModels.smolLm2Weights())) {
      Exported exported =
          Onnx.of(model)
              .profile(Profile.ORT)
              .types(WeightOnly.mixed().toArray(GraphPass[]::new))
              .writeFolder(dir);
      assertThat(exported.graphs().get(0).loss().rootMeanSquare()).isBetween(0.02, 0.1);
      assertThat(Files.size(exported.file())).isLessThan(2 * model.parameters()); // float32: 4
    }
    try (OnnxModel graph = Onnx.model(dir)) {
      assertThat(graph.generator().maxTokens(30).chat("What is the capital of France?").text())
          .contains("Paris");
    }
  }
}
