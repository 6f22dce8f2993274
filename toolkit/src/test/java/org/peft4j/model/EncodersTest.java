package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** Encoders and their heads give what transformers gives, with padding on either side. */
@Tag("fast")
class EncodersTest {
  private static final Path ROOT = Path.of("src/test/resources/golden/encoders");

  private static Stream<String> all() {
    return Stream.of(
        "bert_tokens",
        "bert_questions",
        "roberta",
        "roberta_sequence",
        "roberta_tokens",
        "distilbert",
        "distilbert_sequence",
        "distilbert_tokens",
        "distilbert_questions",
        "modernbert",
        "modernbert_sequence",
        "modernbert_first",
        "modernbert_tokens",
        "modernbert_questions",
        "deberta",
        "deberta_plain",
        "deberta_sequence",
        "deberta_tokens",
        "deberta_questions");
  }

  @ParameterizedTest
  @MethodSource("all")
  void every_head_equals_transformers(String name) throws Exception {
    try (Pretrained model = Loader.directory(ROOT.resolve(name))) {
      assertThat(model.outputNames()).isNotEmpty();
      compareBothSides(model, name, name);
    }
  }

  @ParameterizedTest
  @MethodSource("all")
  void a_saved_model_gives_the_same(String name, @TempDir Path dir) throws Exception {
    try (Pretrained model = Loader.directory(ROOT.resolve(name))) {
      model.save(dir.resolve("again"));
      try (Pretrained again = Loader.directory(dir.resolve("again"))) {
        assertThat(again.parameters()).isEqualTo(model.parameters());
        compareBothSides(again, name, name);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"modernbert_sequence", "deberta_sequence", "distilbert_sequence"})
  void a_lora_of_peft_acts_alike(String name) throws Exception {
    try (Pretrained model = Loader.directory(ROOT.resolve(name));
        Tuned tuned = Peft.load(model, ROOT.resolve(name + "_lora"));
        Pretrained merged = tuned.merge()) {
      compareBothSides(tuned, name, name + "_lora");
      compareBothSides(merged, name, name + "_lora");
    }
  }

  /** As PEFT has them; it has none for DistilBERT and ModernBERT. */
  @ParameterizedTest
  @CsvSource({
    "bert_tokens, query, value",
    "roberta, query, value",
    "distilbert, q_lin, v_lin",
    "modernbert, Wqkv, Wqkv",
    "deberta, query_proj, value_proj"
  })
  void usual_targets_are_those_of_peft(String name, String first, String second) {
    try (Pretrained model = Loader.directory(ROOT.resolve(name))) {
      List<String> paths = Peft.lora(model).sites().stream().map(Site::path).toList();
      assertThat(paths)
          .isNotEmpty()
          .allMatch(p -> p.endsWith("." + first) || p.endsWith("." + second))
          .anyMatch(p -> p.endsWith("." + first))
          .anyMatch(p -> p.endsWith("." + second));
    }
  }

  @Test
  void a_new_head_is_that_of_the_architecture() {
    try (Pretrained model = Loader.directory(ROOT.resolve("distilbert"));
        Pretrained classifier = model.classify(List.of("a", "b"))) {
      assertThat(classifier.newModules()).containsExactly("pre_classifier", "classifier");
    }
    try (Pretrained model = Loader.directory(ROOT.resolve("modernbert"));
        Pretrained classifier = model.classify(List.of("a", "b"))) {
      assertThat(classifier.newModules()).containsExactly("head", "classifier");
    }
    try (Pretrained model = Loader.directory(ROOT.resolve("deberta"));
        Pretrained classifier = model.classify(List.of("a", "b"))) {
      assertThat(classifier.newModules()).containsExactly("pooler", "classifier");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "conv_kernel_size, 3, the convolution of v2-xlarge",
    "embedding_size, 8, 'hidden_size, 16'",
    "model_type, umt5, mt5"
  })
  void what_is_not_supported_is_refused(String key, String value, String said) throws Exception {
    Config config = new Config("c", Json.read(ROOT.resolve("deberta_sequence/config.json")));
    Object entry = key.equals("model_type") ? value : Long.valueOf(value);
    Map<String, @Nullable Object> changed = config.with(key, entry).values();
    assertThatThrownBy(() -> Models.untrained(changed, 1))
        .hasMessageContainingAll(key, said, "expected", value);
  }

  private static void compareBothSides(Block model, String inputs, String folder) throws Exception {
    try (TensorSource in = Safetensors.open(ROOT.resolve(inputs).resolve("io.safetensors"));
        TensorSource io = Safetensors.open(ROOT.resolve(folder).resolve("io.safetensors"));
        Pretrained facts = Loader.directory(ROOT.resolve(inputs))) {
      for (String side : List.of("right", "left")) {
        compare(model, facts.outputNames(), in, io, side);
      }
    }
  }

  private static void compare(
      Block model, List<String> outputs, TensorSource inputs, TensorSource io, String side) {
    Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager manager = Torch.newManager()) {
            NDArray mask = inputs.load(side + ".attention_mask", manager);
            NDList in = new NDList(inputs.load(side + ".input_ids", manager), mask);
            NDList out = model.forward(new ParameterStore(manager, false), in, false);
            for (int i = 0; i < outputs.size(); i++) {
              String output = outputs.get(i);
              NDArray expected = io.load(side + "." + output, manager);
              NDArray difference = out.get(i).sub(expected).abs();
              if (expected.getShape().dimension() > 1
                  && expected.getShape().get(1) == mask.getShape().get(1)) {
                NDArray counted = mask.toType(DataType.FLOAT32, false);
                difference =
                    difference.mul(
                        expected.getShape().dimension() == 3 ? counted.expandDims(2) : counted);
              }
              assertThat(difference.max().getFloat())
                  .as("%s, %s padding", output, side)
                  .isLessThan(1e-5f);
            }
          }
          return model;
        });
  }
}
