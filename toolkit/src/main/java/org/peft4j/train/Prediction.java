package org.peft4j.train;

import ai.djl.nn.Block;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.peft4j.model.TextOutputs;
import org.peft4j.text.Tokenizer;
import org.peft4j.text.Tokens;

/**
 * A model's label for a text.
 *
 * @param label the most probable one
 * @param probability of that label, in [0, 1]
 */
public record Prediction(String text, String label, double probability) {
  private static final int BATCH = 64;

  /**
   * Labels texts.
   *
   * @param model gives logits {@code [batch, labels]}
   * @param labels in the order of the logits
   */
  public static List<Prediction> of(
      Block model, List<String> texts, Tokenizer tokenizer, List<String> labels) {
    List<Tokens> tokens = tokenizer.encodeAll(texts);
    float[][] logits = TextOutputs.of(model, tokens, tokenizer.padId(), BATCH, done -> {});
    List<Prediction> out = new ArrayList<>();
    for (int i = 0; i < logits.length; i++) {
      int best = 0;
      for (int c = 1; c < logits[i].length; c++) {
        best = logits[i][c] > logits[i][best] ? c : best;
      }
      double sum = 0;
      for (float x : logits[i]) {
        sum += Math.exp(x - logits[i][best]);
      }
      out.add(new Prediction(texts.get(i), labels.get(best), 1 / sum));
    }
    return out;
  }

  @Override
  public String toString() {
    return String.format(Locale.ROOT, "%s (%.0f %%): %s", label, 100 * probability, text);
  }
}
