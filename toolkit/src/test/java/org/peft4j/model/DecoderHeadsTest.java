package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicNode;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.Models;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.spi.Paths;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Torch;

/** Classifiers of decoders give the logits of transformers, with padding on either side. */
@Tag("fast")
class DecoderHeadsTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");

  @TempDir Path dir;

  @TestFactory
  Stream<DynamicNode> every_family() throws Exception {
    Map<String, ?> classes = Json.read(GOLDEN.resolve("decoder_heads/classes.json"));
    assertThat(classes).hasSize(14);
    return classes.entrySet().stream()
        .map(
            e ->
                DynamicTest.dynamicTest(
                    e.getKey(), () -> check(e.getKey(), String.valueOf(e.getValue()))));
  }

  private void check(String family, String architecture) throws Exception {
    Path saved = dir.resolve(family);
    try (Pretrained model = Models.load(GOLDEN.resolve("families").resolve(family));
        Pretrained classifier = model.classify(List.of("a", "b", "c"));
        TensorSource io =
            Safetensors.open(GOLDEN.resolve("decoder_heads/" + family + ".safetensors"));
        TensorSource given =
            Safetensors.open(GOLDEN.resolve("families").resolve(family).resolve("io.safetensors"));
        NDManager manager = Torch.newManager()) {
      assertThat(classifier.newModules()).containsExactly("score");
      Parameter score =
          Objects.requireNonNull(Paths.parameters(classifier.network()).get("score.weight"));
      Buffers.copy(io.load("score.weight", manager), score.getArray());
      compare(classifier, io, given, manager);
      classifier.save(saved);
      assertThat(Json.read(saved.resolve("config.json")).get("architectures"))
          .isEqualTo(List.of(architecture));
      try (Pretrained again = Models.load(saved)) {
        assertThat(again.labels()).containsExactly("a", "b", "c");
        compare(again, io, given, manager);
      }
    }
  }

  private static void compare(
      Pretrained model, TensorSource io, TensorSource given, NDManager manager) {
    for (String side : List.of("right", "left")) {
      NDList in =
          new NDList(
              given.load(side + ".input_ids", manager),
              given.load(side + ".attention_mask", manager));
      NDArray found =
          Torch.inference(() -> model.forward(new ParameterStore(manager, false), in, false))
              .singletonOrThrow();
      assertThat(found.sub(io.load(side + ".logits", manager)).abs().max().getFloat())
          .as(side + " padding")
          .isLessThan(1e-5f);
    }
  }
}
