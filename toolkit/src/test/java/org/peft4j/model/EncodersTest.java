package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.ParameterStore;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/** Encoders and their heads give what transformers gives, with padding on either side. */
@Tag("fast")
class EncodersTest {
  private static final Path ROOT = Path.of("src/test/resources/golden/encoders");

  @ParameterizedTest
  @ValueSource(
      strings = {
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
        "deberta_questions"
      })
  void every_head_equals_transformers(String name) throws Exception {
    Path folder = ROOT.resolve(name);
    try (Pretrained model = Loader.directory(folder);
        TensorSource io = Safetensors.open(folder.resolve("io.safetensors"))) {
      assertThat(model.outputNames()).isNotEmpty();
      for (String side : List.of("right", "left")) {
        compare(model, io, side);
      }
    }
  }

  private static void compare(Pretrained model, TensorSource io, String side) {
    Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager manager = Torch.newManager()) {
            NDArray mask = io.load(side + ".attention_mask", manager);
            NDList in = new NDList(io.load(side + ".input_ids", manager), mask);
            NDList out = model.forward(new ParameterStore(manager, false), in, false);
            for (int i = 0; i < model.outputNames().size(); i++) {
              String output = model.outputNames().get(i);
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
