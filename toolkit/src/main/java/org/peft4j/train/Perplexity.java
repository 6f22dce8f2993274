package org.peft4j.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.peft4j.model.Inputs;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;
import org.peft4j.text.Batch;
import org.peft4j.text.Side;
import org.peft4j.text.Tokens;

/**
 * How well a causal language model foretells a text: {@code exp(-1/n sum log p(token | tokens
 * before it in its window))}. The text is cut into windows without overlap; the first token of each
 * is not scored.
 *
 * @param value the perplexity
 * @param loss its logarithm, the mean over the scored tokens
 * @param scored number of tokens scored
 */
public record Perplexity(double value, double loss, long scored) {
  /**
   * Runs the model over a text.
   *
   * @param window tokens that are looked at together
   */
  public static Perplexity of(Block model, long[] tokens, int window) {
    if (window < 2 || tokens.length < 2) {
      throw new IllegalArgumentException(
          "perplexity\nexpected: a window and a text of at least 2 tokens\nfound: a window of "
              + window
              + ", a text of "
              + tokens.length);
    }
    double sum = 0;
    long scored = 0;
    for (int from = 0; from + 1 < tokens.length; from += window) {
      long[] part = Arrays.copyOfRange(tokens, from, Math.min(tokens.length, from + window));
      sum += loss(model, part) * (part.length - 1);
      scored += part.length - 1;
    }
    return new Perplexity(Math.exp(sum / scored), sum / scored, scored);
  }

  private static double loss(Block model, long[] window) {
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager manager = Torch.newManager()) {
            Batch batch = Batch.of(List.of(Tokens.of(window)), 0, Side.RIGHT);
            NDArray logits =
                model
                    .forward(new ParameterStore(manager, false), Inputs.list(manager, batch), false)
                    .get(0);
            int n = window.length - 1;
            NDArray targets =
                Buffers.create(manager, Arrays.copyOfRange(window, 1, n + 1), new Shape(n));
            return (double) CrossEntropy.mean(logits.get("0, :" + n), targets).getFloat();
          }
        });
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "perplexity %.4f (loss %.6f) on %,d tokens", value, loss, scored);
  }
}
