package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
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
import org.peft4j.onnx.OnnxSession;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** Vision transformers give what transformers gives, adapters included, on images. */
@Tag("fast")
class VitTest {
  private static final Path ROOT = Path.of("src/test/resources/golden/vit");

  @TempDir Path folder;

  /** Largest difference of all outputs that both have. */
  private static float difference(Block model, Path reference, String... outputs) throws Exception {
    try (TensorSource io = Safetensors.open(reference.resolve("io.safetensors"))) {
      return Torch.inference(
          () -> {
            try (Scope scope = Scope.open();
                NDManager manager = Torch.newManager()) {
              NDList in = new NDList(io.load("pixel_values", manager));
              NDList out = model.forward(new ParameterStore(manager, false), in, false);
              assertThat(out).hasSize(outputs.length);
              float largest = 0;
              for (int i = 0; i < outputs.length; i++) {
                NDArray off = out.get(i).sub(io.load(outputs[i], manager)).abs();
                largest = Math.max(largest, off.max().getFloat());
              }
              return largest;
            }
          });
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"features", "features_wide"})
  void states_and_pooled_states_equal_transformers(String name) throws Exception {
    Path from = ROOT.resolve(name);
    try (Pretrained model = Models.load(from)) {
      assertThat(model.hasTokenizer()).isFalse();
      assertThat(difference(model, from, "last_hidden_state", "pooler_output")).isLessThan(1e-5f);
    }
  }

  @Test
  void classes_equal_transformers() throws Exception {
    Path from = ROOT.resolve("classes");
    try (Pretrained model = Models.load(from)) {
      assertThat(model.task()).isEqualTo(Task.IMAGE_CLASSIFICATION);
      assertThat(model.labels()).hasSize(3);
      assertThat(difference(model, from, "logits")).isLessThan(1e-5f);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"features_wide", "classes"})
  void a_directory_written_again_has_the_same_bytes(String name) throws Exception {
    Path from = ROOT.resolve(name);
    try (Pretrained model = Models.load(from)) {
      model.save(folder);
    }
    assertThat(folder.resolve("model.safetensors"))
        .hasSameBinaryContentAs(from.resolve("model.safetensors"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"lora", "lora_all"})
  void adapters_of_peft_act_as_there_merged_too(String name) throws Exception {
    Path from = ROOT.resolve(name);
    Map<String, ?> config = Json.read(from.resolve("adapter_config.json"));
    Path base = ROOT.resolve(String.valueOf(config.get("base_model_name_or_path")));
    try (Pretrained model = Models.load(base);
        Tuned tuned = Peft.load(model, from)) {
      assertThat(difference(model, from, "logits")).isGreaterThan(1e-2f);
      assertThat(difference(tuned, from, "logits")).isLessThan(1e-5f);
      try (Pretrained merged = tuned.merge()) {
        assertThat(difference(merged, from, "logits")).isLessThan(1e-5f);
        merged.save(folder.resolve("merged"));
        Exported exported = Onnx.export(tuned, folder.resolve("merged.onnx"));
        assertThat(exported.validate().passed()).isTrue();
      }
      try (Pretrained merged = Models.load(folder.resolve("merged"))) {
        assertThat(difference(merged, from, "logits")).isLessThan(1e-5f);
      }
      tuned.save(folder.resolve("again"));
    }
    try (TensorSource first = Safetensors.open(from.resolve("adapter_model.safetensors"));
        TensorSource again = Safetensors.open(folder.resolve("again/adapter_model.safetensors"))) {
      assertThat(again.names()).hasSameElementsAs(first.names());
      first.names().forEach(n -> assertThat(again.info(n)).isEqualTo(first.info(n)));
    }
  }

  @Test
  void features_get_a_head_for_images_and_are_a_classifier_when_they_come_back() throws Exception {
    Path dir = folder.resolve("classifier");
    try (Pretrained model = Models.load(ROOT.resolve("features"));
        Pretrained classifier = model.classify(List.of("cat", "dog"))) {
      assertThat(classifier.task()).isEqualTo(Task.IMAGE_CLASSIFICATION);
      assertThat(classifier.newModules()).containsExactly("classifier");
      classifier.save(dir);
    }
    try (Pretrained again = Models.load(dir);
        Tuned tuned = Peft.lora(again).rank(2).apply()) {
      assertThat(again.labels()).containsExactly("cat", "dog");
      assertThat(tuned.trainableParameters()).isEqualTo(2L * 2 * 2 * (24 + 24));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"features", "features_wide", "classes"})
  void exported_it_computes_the_same_for_batches_it_was_not_traced_with(String name)
      throws Exception {
    Path from = ROOT.resolve(name);
    try (Pretrained model = Models.load(from)) {
      Exported exported = Onnx.export(model, folder.resolve("m.onnx"));
      assertThat(exported.validate().passed()).isTrue();
      try (OnnxSession session = exported.session();
          NDManager manager = Torch.newManager();
          TensorSource io = Safetensors.open(from.resolve("io.safetensors"))) {
        NDArray y =
            session
                .run(manager, Map.of("pixel_values", io.load("pixel_values", manager)))
                .get(model.outputNames().get(0));
        NDArray expected = io.load(model.outputNames().get(0), manager);
        assertThat(y.sub(expected).abs().max().getFloat()).isLessThan(1e-5f);
      }
    }
  }

  @Test
  void hooks_act_on_images_and_leave_the_image_vector_in_front() {
    try (Pretrained model = Models.load(ROOT.resolve("features"));
        Tuned prompted = Peft.promptTuning(model).tokens(2).apply();
        Tuned prefixed = Peft.prefixTuning(model).tokens(2).apply();
        Tuned bottled = Peft.pfeiffer(model).reduction(4).apply();
        NDManager manager = Torch.newManager()) {
      NDList in = new NDList(manager.ones(new Shape(2, 3, 12, 12)));
      for (Tuned tuned : List.of(prompted, prefixed, bottled)) {
        NDList out =
            Torch.inference(() -> tuned.forward(new ParameterStore(manager, false), in, false));
        long rows = tuned == prompted ? 1 + 2 + 9 : 1 + 9;
        assertThat(out.get(0).getShape()).isEqualTo(new Shape(2, rows, 24));
        assertThat(out.get(1).getShape()).isEqualTo(new Shape(2, 24));
      }
      NDArray plain =
          Torch.inference(() -> model.forward(new ParameterStore(manager, false), in, false))
              .get(0);
      NDArray beside =
          Torch.inference(() -> prompted.forward(new ParameterStore(manager, false), in, false))
              .get(0);
      float away = beside.get(":, 0").sub(plain.get(":, 0")).abs().max().getFloat();
      float virtual = beside.get(":, 1").sub(plain.get(":, 0")).abs().max().getFloat();
      assertThat(away).isPositive().isLessThan(virtual);
    }
  }

  @Test
  void an_image_of_another_size_is_refused() {
    try (Pretrained model = Models.load(ROOT.resolve("classes"));
        NDManager manager = Torch.newManager()) {
      NDList in = new NDList(manager.zeros(new Shape(1, 3, 8, 12)));
      assertThatThrownBy(() -> model.forward(new ParameterStore(manager, false), in, false))
          .hasMessageContainingAll("pixel_values", "(batch, 3, 12, 12)", "(1, 3, 8, 12)");
    }
  }
}
