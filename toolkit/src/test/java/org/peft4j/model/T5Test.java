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
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.Models;
import org.peft4j.Onnx;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.adapter.Blueprint;
import org.peft4j.export.Exported;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.reparam.Lora;
import org.peft4j.reparam.LoraInit;
import org.peft4j.spi.Placement;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** Encoder-decoders give what transformers gives, plain, adapted, merged, saved and exported. */
@Tag("fast")
class T5Test {
  private static final Path ROOT = Path.of("src/test/resources/golden/seq2seq");
  private static final float CLOSE = 1e-5f;

  private static TensorSource io(String folder) {
    try {
      return Safetensors.open(ROOT.resolve(folder).resolve("io.safetensors"));
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** Outputs for the inputs of {@code source}, by {@code side}. */
  private static NDArray run(Block model, TensorSource source, String side, NDManager manager) {
    return Torch.inference(
        () -> {
          NDList in = new NDList(source.load(side + ".input_ids", manager));
          in.add(source.load(side + ".attention_mask", manager));
          if (source.names().contains("decoder_input_ids")) {
            in.add(source.load("decoder_input_ids", manager));
          }
          return model.forward(new ParameterStore(manager, false), in, false).get(0);
        });
  }

  private static void same(NDArray actual, NDArray expected, String what) {
    assertThat(actual.getShape()).isEqualTo(expected.getShape());
    assertThat(actual.sub(expected).abs().max().getFloat()).as(what).isLessThan(CLOSE);
  }

  private static void checkBothSides(Block model, String inputs, String folder, String array) {
    try (TensorSource in = io(inputs);
        TensorSource out = io(folder);
        Scope scope = Scope.open();
        NDManager manager = Torch.newManager()) {
      for (String side : List.of("right", "left")) {
        NDArray expected = out.load(side + "." + array, manager);
        NDArray actual = run(model, in, side, manager);
        if (!in.names().contains("decoder_input_ids")) { // states at padding differ freely
          NDArray mask = in.load(side + ".attention_mask", manager);
          NDArray counted = mask.toType(DataType.FLOAT32, false).expandDims(2);
          actual = actual.mul(counted);
          expected = expected.mul(counted);
        }
        same(actual, expected, side + " padding");
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"t5", "t5_v11", "mt5", "t5_model", "t5_encoder"})
  void every_model_equals_transformers(String name) {
    try (Pretrained model = Models.load(ROOT.resolve(name))) {
      String output = model.outputNames().get(0);
      assertThat(output)
          .isEqualTo(model.task() == Task.SEQ2SEQ_LM ? "logits" : "last_hidden_state");
      checkBothSides(model, name, name, output);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"t5", "t5_v11", "mt5", "t5_model"})
  void gaps_in_the_decoders_text_are_not_seen(String name) {
    try (Pretrained model = Models.load(ROOT.resolve(name));
        TensorSource io = io(name);
        Scope scope = Scope.open();
        NDManager manager = Torch.newManager()) {
      NDArray mask = io.load("gaps.decoder_attention_mask", manager);
      NDList in =
          new NDList(
              io.load("right.input_ids", manager),
              io.load("right.attention_mask", manager),
              io.load("gaps.decoder_input_ids", manager),
              mask);
      NDArray out =
          Torch.inference(
              () -> model.forward(new ParameterStore(manager, false), in, false).get(0));
      NDArray counted = mask.toType(DataType.FLOAT32, false).expandDims(2);
      same(out.mul(counted), io.load("gaps.output", manager).mul(counted), name);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"t5", "t5_v11"})
  void a_lora_of_peft_on_q_and_v_of_both_attentions_acts_alike(String name) {
    try (Pretrained model = Models.load(ROOT.resolve(name));
        Tuned tuned = Peft.load(model, ROOT.resolve(name + "_lora"))) {
      checkBothSides(tuned, name, name + "_lora", "logits");
      try (Pretrained merged = tuned.merge()) {
        checkBothSides(merged, name, name + "_lora", "logits");
      }
    }
  }

  @Test
  void roles_reach_self_and_cross_attention_and_both_kinds_of_feed_forward() {
    try (Pretrained plain = Models.load(ROOT.resolve("t5"));
        Pretrained gated = Models.load(ROOT.resolve("mt5"))) {
      assertThat(sites(plain, "q", "v")).isEqualTo(2 * (3 + 2 + 2));
      assertThat(sites(plain, "fc1", "fc2")).isEqualTo(2 * (3 + 2));
      assertThat(sites(gated, "gate", "up", "down")).isEqualTo(3 * (2 + 2));
      assertThat(sites(gated, "EncDecAttention.o")).isEqualTo(2);
      assertThat(sites(gated, "all-linear")).isEqualTo((4 + 3) * 2 + (4 + 4 + 3) * 2);
      assertThat(plain.usualTargets()).containsExactly("q", "v");
    }
  }

  private static int sites(Pretrained model, String... targets) {
    Placement placement = Placement.DEFAULT.withTargets(List.of(targets));
    return new Blueprint(model, model.usualTargets(), List.of())
        .count(new Lora(), placement)
        .sites();
  }

  @Test
  void anatomy_counts_the_decoders_layers_behind_the_encoders() {
    try (Pretrained model = Models.load(ROOT.resolve("t5"));
        Pretrained encoder = Models.load(ROOT.resolve("t5_encoder"))) {
      var both = ((Network) model.network()).body().anatomy();
      assertThat(both.stacks()).isEqualTo(2);
      assertThat(both.layers()).isEqualTo(2);
      assertThat(both.paths()).hasSize(5).endsWith("decoder.block.0", "decoder.block.1");
      assertThat(both.headSize()).isEqualTo(8);
      var one = ((Network) encoder.network()).body().anatomy();
      assertThat(one.stacks()).isEqualTo(1);
      assertThat(one.layers()).isEqualTo(1);
    }
  }

  @Test
  void a_decoder_without_its_input_says_so() {
    try (Pretrained model = Models.load(ROOT.resolve("t5"));
        NDManager manager = Torch.newManager()) {
      NDList in = new NDList(Inputs.array(manager, new long[][] {{5, 6, 1}}));
      assertThatThrownBy(() -> model.forward(new ParameterStore(manager, false), in, false))
          .hasMessageContaining("decoder_input_ids");
    }
  }

  @Test
  void saved_models_load_to_the_same_also_where_an_adapter_has_untied_them(@TempDir Path dir) {
    try (Pretrained model = Models.load(ROOT.resolve("t5"))) {
      model.save(dir.resolve("plain"));
      try (Pretrained again = Models.load(dir.resolve("plain"))) {
        checkBothSides(again, "t5", "t5", "logits");
        assertThat(again.parameters()).isEqualTo(model.parameters());
      }
      try (Tuned tuned =
              Peft.lora(model).rank(2).init(LoraInit.RANDOM).targets("head", "q").seed(3).apply();
          Pretrained merged = tuned.merge();
          NDManager manager = Torch.newManager();
          TensorSource io = io("t5")) {
        merged.save(dir.resolve("untied"));
        try (Pretrained again = Models.load(dir.resolve("untied"))) {
          NDArray expected = run(tuned, io, "left", manager);
          same(run(merged, io, "left", manager), expected, "merged");
          same(run(again, io, "left", manager), expected, "saved");
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"t5", "t5_v11", "mt5", "t5_model", "t5_encoder"})
  void one_graph_does_what_the_model_does(String name, @TempDir Path dir) {
    try (Pretrained model = Models.load(ROOT.resolve(name))) {
      Exported exported = Onnx.export(model, dir.resolve("m.onnx"));
      assertThat(exported.validate().largestDifference()).isLessThan(1e-4);
      try (OnnxSession session = exported.session();
          TensorSource io = io(name);
          Scope scope = Scope.open();
          NDManager manager = Torch.newManager()) {
        Map<String, NDArray> in = new java.util.LinkedHashMap<>();
        in.put("input_ids", io.load("left.input_ids", manager));
        in.put("attention_mask", io.load("left.attention_mask", manager));
        if (!name.equals("t5_encoder")) {
          in.put("decoder_input_ids", io.load("decoder_input_ids", manager));
        }
        String output = model.outputNames().get(0);
        NDArray out = session.run(manager, in).get(output);
        NDArray difference = out.sub(io.load("left." + output, manager)).abs();
        if (name.equals("t5_encoder")) {
          NDArray mask = io.load("left.attention_mask", manager);
          difference = difference.mul(mask.toType(DataType.FLOAT32, false).expandDims(2));
        }
        assertThat(difference.max().getFloat()).isLessThan(CLOSE);
      }
    }
  }
}
