package org.peft4j.model;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.training.ParameterStore;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.data.Data;
import org.peft4j.data.Examples;
import org.peft4j.format.MavenArtifact;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;
import org.peft4j.text.Batch;
import org.peft4j.text.Side;

/** Our MiniLM computes what the file its weights come from computes in ONNX Runtime. */
@Tag("model")
class MiniLmParityTest {
  private static final int GLOSSES = 64;

  @Test
  void hidden_states_equal_those_of_the_original_file() throws Exception {
    Examples glosses = Data.wordnet().split(7).test().sample(GLOSSES, 5);
    float largest = 0;
    try (Pretrained model = MiniLm.load(Dtype.F32);
        OnnxSession original =
            OnnxSession.load(MavenArtifact.MINILM.extract("all-minilm-l6-v2.onnx"))) {
      Body body = ((Network) model.network()).body();
      List<String> texts = glosses.texts();
      assertThat(texts).hasSize(GLOSSES);
      for (int from = 0; from < GLOSSES; from += 16) { // texts of mixed length in every batch
        Batch batch =
            Batch.of(
                model.tokenizer().encodeAll(texts.subList(from, from + 16)),
                model.tokenizer().padId(),
                Side.RIGHT);
        largest = Math.max(largest, difference(body, original, batch));
      }
    }
    System.out.println("largest difference on " + GLOSSES + " glosses: " + largest);
    assertThat(largest).isPositive().isLessThanOrEqualTo(1e-5f);
  }

  private static float difference(Body body, OnnxSession original, Batch batch) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager manager = Torch.newManager()) {
            NDList in = Inputs.list(manager, batch);
            List<String> names = Bert.ARCHITECTURE.inputs();
            Map<String, NDArray> feed = new LinkedHashMap<>();
            for (int i = 0; i < names.size(); i++) {
              feed.put(names.get(i), in.get(i));
            }
            Pass pass = Pass.of(new ParameterStore(manager, false), false);
            NDArray ours = body.encode(pass, Inputs.of(names, in, null, false));
            NDArray theirs = original.run(manager, feed).values().iterator().next();
            NDArray mask = in.get(1).toType(DataType.FLOAT32, false).expandDims(2);
            return ours.sub(Objects.requireNonNull(theirs)).abs().mul(mask).max().getFloat();
          }
        });
  }
}
