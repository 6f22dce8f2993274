package org.peft4j.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.Models;
import org.peft4j.Onnx;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.export.Exported;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.model.Inputs;
import org.peft4j.model.Pretrained;
import org.peft4j.model.Task;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** GPT-2 gives what transformers gives, adapters included, and its files keep their layout. */
@Tag("fast")
class Gpt2Test {
  private static final Path ROOT = Path.of("src/test/resources/golden/gpt2");

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"lm", "lm_published", "lm_scaled"})
  void language_models_score_and_continue_as_transformers(String name) throws Exception {
    FamiliesTest.check(ROOT.resolve(name));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"lm", "lm_published", "lm_scaled", "features", "sequence", "tokens", "questions"})
  void every_head_equals_transformers_wherever_padding_and_positions_are(String name)
      throws Exception {
    Path from = ROOT.resolve(name);
    try (Pretrained model = Models.load(from);
        TensorSource io = Safetensors.open(from.resolve("io.safetensors"))) {
      for (String side : List.of("right", "left")) {
        for (String positions : List.of("", "counted.")) {
          for (int i = 0; i < model.outputNames().size(); i++) {
            assertThat(difference(model, io, side, positions, model.outputNames().get(i), i))
                .as("%s %s%s", side, positions, model.outputNames().get(i))
                .isLessThan(1e-5f);
          }
        }
      }
    }
  }

  private static float difference(
      Block model, TensorSource io, String side, String positions, String output, int index) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager manager = Torch.newManager()) {
            NDArray mask = io.load(side + ".attention_mask", manager);
            NDList in = new NDList(io.load(side + ".input_ids", manager), mask);
            if (!positions.isEmpty()) {
              NDArray ids = io.load(side + ".position_ids", manager);
              ids.setName("position_ids");
              in.add(ids);
            }
            NDArray y = model.forward(new ParameterStore(manager, false), in, false).get(index);
            NDArray expected = io.load(side + "." + positions + output, manager);
            NDArray off = y.sub(expected).abs();
            if (expected.getShape().get(1) == mask.getShape().get(1)) {
              NDArray counted = mask.toType(DataType.FLOAT32, false);
              off = off.mul(off.getShape().dimension() == 3 ? counted.expandDims(2) : counted);
            }
            return off.max().getFloat();
          }
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {"lora", "lora_all", "lora_score"})
  void adapters_of_peft_act_as_there_merged_too(String name) throws Exception {
    Path from = ROOT.resolve(name);
    String base = String.valueOf(config(from).get("base_model_name_or_path"));
    try (Pretrained model = Models.load(ROOT.resolve(base));
        TensorSource io = Safetensors.open(from.resolve("io.safetensors"));
        Tuned tuned = Peft.load(model, from)) {
      assertThat(adapted(tuned, io)).isLessThan(1e-5f);
      assertThat(adapted(model, io)).isGreaterThan(1e-2f);
      try (Pretrained merged = tuned.merge()) {
        assertThat(adapted(merged, io)).isLessThan(1e-5f);
        merged.save(folder.resolve("merged"));
      }
      try (Pretrained merged = Models.load(folder.resolve("merged"))) {
        assertThat(adapted(merged, io)).isLessThan(1e-5f);
      }
      tuned.save(folder.resolve("again"));
      try (Tuned again = Peft.load(model, folder.resolve("again"))) {
        assertThat(adapted(again, io)).isLessThan(1e-5f);
      }
    }
    try (TensorSource first = Safetensors.open(from.resolve("adapter_model.safetensors"));
        TensorSource again = Safetensors.open(folder.resolve("again/adapter_model.safetensors"))) {
      assertThat(again.names()).hasSameElementsAs(first.names());
      first.names().forEach(n -> assertThat(again.info(n)).isEqualTo(first.info(n)));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"prompt", "prefix"})
  void prompts_and_prefixes_of_peft_act_as_there(String name) throws Exception {
    Path from = ROOT.resolve(name);
    try (Pretrained model = Models.load(ROOT.resolve("lm"));
        TensorSource io = Safetensors.open(from.resolve("io.safetensors"));
        Tuned tuned = Peft.load(model, from)) {
      assertThat(adapted(model, io)).isGreaterThan(1e-2f);
      assertThat(adapted(tuned, io)).isLessThan(1e-5f);
    }
  }

  private static Map<String, ?> config(Path adapter) throws Exception {
    return Json.read(adapter.resolve("adapter_config.json"));
  }

  /** Largest difference of logits at tokens. */
  private static float adapted(Block model, TensorSource io) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager manager = Torch.newManager()) {
            NDArray mask = io.load("attention_mask", manager);
            NDList in = new NDList(io.load("input_ids", manager), mask);
            NDArray y = model.forward(new ParameterStore(manager, false), in, false).get(0);
            NDArray off = y.sub(io.load("logits", manager)).abs();
            return off.getShape().dimension() == 2
                ? off.max().getFloat()
                : off.mul(mask.toType(DataType.FLOAT32, false).expandDims(2)).max().getFloat();
          }
        });
  }

  @ParameterizedTest
  @ValueSource(strings = {"lm", "lm_scaled", "sequence"})
  void a_directory_written_again_has_the_same_bytes(String name) throws Exception {
    try (Pretrained model = Models.load(ROOT.resolve(name))) {
      model.save(folder);
    }
    assertThat(folder.resolve("model.safetensors"))
        .hasSameBinaryContentAs(ROOT.resolve(name).resolve("model.safetensors"));
  }

  @Test
  void the_usual_target_is_the_fused_projection_and_its_factors_lie_as_peft_has_them()
      throws Exception {
    try (Pretrained model = Models.load(ROOT.resolve("lm"));
        Tuned tuned = Peft.lora(model).rank(2).apply()) {
      assertThat(tuned.trainableParameters()).isEqualTo(2L * 2 * (24 + 72));
      tuned.save(folder);
    }
    try (TensorSource file = Safetensors.open(folder.resolve("adapter_model.safetensors"))) {
      String site = "base_model.model.transformer.h.1.attn.c_attn.";
      assertThat(file.info(site + "lora_A.weight").shape().getShape()).containsExactly(2, 24);
      assertThat(file.info(site + "lora_B.weight").shape().getShape()).containsExactly(72, 2);
    }
    assertThat(config(folder).get("target_modules")).isEqualTo(List.of("c_attn"));
    assertThat(config(folder).get("fan_in_fan_out")).isEqualTo(true);
  }

  @Test
  void a_language_model_gets_the_classifier_of_decoders_and_is_one_when_it_comes_back() {
    Path dir = folder.resolve("classifier");
    try (Pretrained model = Models.load(ROOT.resolve("lm"));
        Pretrained classifier = model.classify(List.of("a", "b"))) {
      assertThat(classifier.task()).isEqualTo(Task.SEQUENCE_CLASSIFICATION);
      assertThat(classifier.newModules()).containsExactly("score");
      classifier.save(dir);
      try (Pretrained again = Models.load(dir)) {
        assertThat(again.labels()).containsExactly("a", "b");
        assertThat(logits(again)).isEqualTo(logits(classifier)).hasSize(4);
      }
    }
  }

  private static float[] logits(Pretrained model) {
    return Torch.inference(
        () -> {
          try (NDManager manager = Torch.newManager()) {
            NDList in = new NDList(Inputs.array(manager, new long[][] {{5, 9, 0}, {7, 0, 0}}));
            return model
                .forward(new ParameterStore(manager, false), in, false)
                .singletonOrThrow()
                .toFloatArray();
          }
        });
  }

  @Test
  void a_text_longer_than_the_table_of_positions_is_refused() {
    try (Pretrained model = Models.load(ROOT.resolve("lm"));
        NDManager manager = Torch.newManager()) {
      NDList in = new NDList(Inputs.array(manager, new long[1][49]));
      assertThatThrownBy(() -> model.forward(new ParameterStore(manager, false), in, false))
          .hasMessageContainingAll("at most 48 tokens", "found: 49");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"lm", "sequence", "features"})
  void exported_it_computes_the_same_at_sizes_it_was_not_traced_at(String name) throws Exception {
    Path file = folder.resolve("m.onnx");
    Path from = ROOT.resolve(name);
    try (Pretrained model = Models.load(from)) {
      Exported exported = Onnx.of(model).cache(false).write(file);
      assertThat(exported.validate().passed()).isTrue();
      assertThat(Files.exists(file)).isTrue();
      String output = model.outputNames().get(0);
      try (OnnxSession session = exported.session();
          NDManager manager = Torch.newManager();
          TensorSource io = Safetensors.open(from.resolve("io.safetensors"))) {
        NDArray mask = io.load("left.attention_mask", manager);
        Map<String, NDArray> in =
            Map.of("input_ids", io.load("left.input_ids", manager), "attention_mask", mask);
        NDArray off =
            session.run(manager, in).get(output).sub(io.load("left." + output, manager)).abs();
        NDArray counted = mask.toType(DataType.FLOAT32, false).expandDims(2);
        assertThat((off.getShape().dimension() == 3 ? off.mul(counted) : off).max().getFloat())
            .isLessThan(1e-5f);
      }
    }
  }
}
