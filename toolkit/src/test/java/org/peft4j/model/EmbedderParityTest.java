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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.peft4j.data.Data;
import org.peft4j.data.Examples;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;
import org.peft4j.text.Batch;
import org.peft4j.text.Side;

/** Models by name compute what the files their weights come from compute in ONNX Runtime. */
@Tag("model")
class EmbedderParityTest {
  private static final int GLOSSES = 64;

  private static List<Embedder> others() {
    return Embedder.ALL.stream().filter(e -> !e.equals(Embedder.MINILM)).toList();
  }

  @Test
  void hidden_states_equal_those_of_the_original_file() throws Exception {
    check(Embedder.MINILM);
  }

  /** The same for those whose files are large, and nothing else needs. */
  @Tag("downloads")
  @ParameterizedTest
  @MethodSource("others")
  void and_those_of_others(Embedder embedder) throws Exception {
    check(embedder);
  }

  private static void check(Embedder embedder) throws Exception {
    Examples glosses = Data.wordnet().split(7).test().sample(GLOSSES, 5);
    float largest = 0;
    try (Pretrained model = Loader.named(embedder.name());
        OnnxSession original = OnnxSession.load(embedder.onnx())) {
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
    System.out.printf(
        "%s: largest difference on %d glosses: %s%n", embedder.name(), GLOSSES, largest);
    assertThat(largest).isPositive().isLessThanOrEqualTo(1e-5f);
  }

  @Tag("downloads")
  @ParameterizedTest
  @CsvSource({"bge-small-en-v1.5, cls, '', ''", "e5-small-v2, mean, 'query: ', 'passage: '"})
  void a_question_is_nearest_to_its_answer(
      String name, String pooling, String question, String passage) {
    try (Pretrained model = Loader.named(name)) {
      assertThat(model.pooling()).hasToString(pooling);
      float[][] v =
          model.embed(
              List.of(
                  question + "How do whales breathe?",
                  passage + "Bread is baked from flour, water and yeast.",
                  passage + "Whales come up to the surface and take in air by their blowholes.",
                  passage + "The train to Vienna leaves at noon."));
      assertThat(cosine(v[0], v[2]))
          .isGreaterThan(cosine(v[0], v[1]) + 0.05)
          .isGreaterThan(cosine(v[0], v[3]) + 0.05);
    }
  }

  private static double cosine(float[] a, float[] b) {
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
  }

  private static double dot(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
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
