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
import java.util.stream.Collectors;
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
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** Residual networks give what transformers gives, with PEFT's adapters on convolutions too. */
@Tag("fast")
class ResNetTest {
  private static final Path ROOT = Path.of("src/test/resources/golden/resnet");

  @TempDir Path folder;

  /**
   * Largest difference of all outputs that both have, relative to their size if that is above 1.
   */
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
                NDArray expected = io.load(outputs[i], manager);
                assertThat(out.get(i).getShape()).isEqualTo(expected.getShape());
                float off = out.get(i).sub(expected).abs().max().getFloat();
                largest = Math.max(largest, off / Math.max(1, expected.abs().max().getFloat()));
              }
              return largest;
            }
          });
    }
  }

  @Test
  void states_and_pooled_states_equal_transformers() throws Exception {
    Path from = ROOT.resolve("features");
    try (Pretrained model = Models.load(from)) {
      assertThat(difference(model, from, "last_hidden_state", "pooler_output")).isLessThan(1e-5f);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"basic", "bottleneck", "early"})
  void classes_equal_transformers(String name) throws Exception {
    Path from = ROOT.resolve(name);
    try (Pretrained model = Models.load(from)) {
      assertThat(model.task()).isEqualTo(Task.IMAGE_CLASSIFICATION);
      assertThat(model.labels()).hasSize(3);
      assertThat(difference(model, from, "logits")).isLessThan(1e-5f);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"features", "bottleneck"})
  void a_directory_written_again_has_the_same_tensors(String name) throws Exception {
    Path from = ROOT.resolve(name);
    try (Pretrained model = Models.load(from)) {
      model.save(folder);
    }
    try (TensorSource first = Safetensors.open(from.resolve("model.safetensors"));
        TensorSource again = Safetensors.open(folder.resolve("model.safetensors"))) {
      assertThat(infos(again)).isEqualTo(infos(first));
    }
    try (Pretrained again = Models.load(folder)) {
      String[] outputs =
          name.equals("features")
              ? new String[] {"last_hidden_state", "pooler_output"}
              : new String[] {"logits"};
      assertThat(difference(again, from, outputs)).isLessThan(1e-5f);
    }
  }

  private static Map<String, TensorSource.Info> infos(TensorSource source) {
    return source.names().stream().collect(Collectors.toMap(n -> n, source::info));
  }

  @ParameterizedTest
  @ValueSource(strings = {"lora", "dora", "loha", "lokr_core"})
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
      }
      try (Pretrained merged = Models.load(folder.resolve("merged"))) {
        assertThat(difference(merged, from, "logits")).isLessThan(1e-5f);
      }
      tuned.save(folder.resolve("again"));
    }
    try (TensorSource first = Safetensors.open(from.resolve("adapter_model.safetensors"));
        TensorSource again = Safetensors.open(folder.resolve("again/adapter_model.safetensors"))) {
      assertThat(infos(again)).isEqualTo(infos(first));
    }
  }

  @Test
  void the_usual_targets_are_all_convolutions() {
    try (Pretrained model = Models.load(ROOT.resolve("features"));
        Pretrained classifier = model.classify(List.of("cat", "dog"));
        Tuned tuned = Peft.lora(classifier).rank(2).apply()) {
      assertThat(classifier.newModules()).containsExactly("classifier");
      assertThat(tuned.trainable().keySet())
          .contains(
              "default:resnet.embedder.embedder.convolution.lora_A.weight",
              "default:resnet.encoder.stages.1.layers.0.shortcut.convolution.lora_B.weight",
              "default:classifier.1.weight");
      assertThat(tuned.blueprint().sites())
          .anyMatch(s -> s.path().equals("resnet.encoder.stages.0.layers.0.layer.1.normalization"));
      assertThatThrownBy(() -> Peft.prefixTuning(classifier).apply())
          .hasMessageContaining("acts on what flows through a model");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"features", "basic", "lora"})
  void exported_it_computes_the_same_for_batches_it_was_not_traced_with(String name)
      throws Exception {
    Path base = ROOT.resolve(name.equals("lora") ? "bottleneck" : name);
    try (Pretrained model = Models.load(base)) {
      Path file = folder.resolve("m.onnx");
      if (!name.equals("lora")) {
        assertThat(Onnx.export(model, file).validate().passed()).isTrue();
        return;
      }
      try (Tuned tuned = Peft.load(model, ROOT.resolve(name))) {
        Exported exported = Onnx.export(tuned, file);
        assertThat(exported.validate().passed()).isTrue();
      }
    }
  }

  @Test
  void an_image_of_other_channels_is_refused() {
    try (Pretrained model = Models.load(ROOT.resolve("basic"));
        NDManager manager = Torch.newManager()) {
      NDList in = new NDList(manager.zeros(new Shape(1, 1, 24, 24)));
      assertThatThrownBy(() -> model.forward(new ParameterStore(manager, false), in, false))
          .hasMessageContainingAll("pixel_values", "(batch, 3, height, width)", "(1, 1, 24, 24)");
    }
  }
}
