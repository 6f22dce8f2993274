package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;
import org.peft4j.text.Batch;
import org.peft4j.text.Side;
import org.peft4j.text.Tokens;

/** Runs a model that gives one row per text over many texts, in batches of similar length. */
public final class TextOutputs {
  private TextOutputs() {}

  /**
   * The model's first output for every text, {@code [texts][width]}, without training.
   *
   * @param block takes what {@link Inputs#list} makes
   * @param done told the number of texts that are done, now and then
   */
  public static float[][] of(
      Block block, List<Tokens> texts, long padId, int batchSize, IntConsumer done) {
    float[][] out = new float[texts.size()][];
    int[] byLength =
        IntStream.range(0, texts.size())
            .boxed()
            .sorted((a, b) -> Integer.compare(texts.get(b).length(), texts.get(a).length()))
            .mapToInt(i -> i)
            .toArray();
    return Torch.inference(
        () -> {
          for (int from = 0; from < byLength.length; from += batchSize) {
            int[] rows =
                Arrays.copyOfRange(byLength, from, Math.min(byLength.length, from + batchSize));
            try (Scope scope = Scope.open();
                NDManager manager = Torch.newManager()) {
              List<Tokens> chosen = Arrays.stream(rows).mapToObj(texts::get).toList();
              NDList inputs = Inputs.list(manager, Batch.of(chosen, padId, Side.RIGHT));
              NDArray y = block.forward(new ParameterStore(manager, false), inputs, false).get(0);
              int width = (int) (y.size() / rows.length);
              float[] flat = y.toFloatArray();
              for (int i = 0; i < rows.length; i++) {
                out[rows[i]] = Arrays.copyOfRange(flat, i * width, (i + 1) * width);
              }
            }
            done.accept(Math.min(byLength.length, from + batchSize));
          }
          return out;
        });
  }
}
