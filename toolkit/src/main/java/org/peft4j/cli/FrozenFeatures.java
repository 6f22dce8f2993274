package org.peft4j.cli;

import org.peft4j.data.Example;
import org.peft4j.data.Examples;
import org.peft4j.model.Pretrained;
import org.peft4j.notebook.Progress;
import org.peft4j.train.TextClassification;

/**
 * The baseline of every table: the model as it is, its vectors of the texts, and logistic
 * regression on them with the penalty that is best on the validation rows.
 */
final class FrozenFeatures {
  private static final double[] PENALTIES = {1e-4, 1e-3, 1e-2, 1e-1};

  private FrozenFeatures() {}

  /**
   * How it does.
   *
   * @param trainable parameters of the regression
   * @param accuracy on the held-out rows, 0 to 1
   * @param seconds for embedding, fitting and choosing
   */
  record Result(long trainable, double accuracy, double seconds) {}

  static Result of(Pretrained embedder, Examples train, Examples validation, Examples test) {
    long start = System.nanoTime();
    float[][] x = embed(embedder, train, "features, training");
    float[][] xv = embed(embedder, validation, "features, tuning");
    TextClassification validationRows = rows(embedder, validation);
    LogisticRegression chosen = null;
    double best = -1;
    for (double penalty : PENALTIES) {
      LogisticRegression fitted =
          LogisticRegression.fit(x, labels(train), train.labels().size(), penalty);
      double accuracy = validationRows.score(fitted.logits(xv)).main();
      if (chosen == null || accuracy > best) {
        best = accuracy;
        chosen = fitted;
      }
    }
    if (chosen == null) {
      throw new IllegalStateException("no penalty was tried");
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    float[][] xt = embed(embedder, test, "features, held out");
    double accuracy = rows(embedder, test).score(chosen.logits(xt)).main();
    return new Result(chosen.parameters(), accuracy, seconds);
  }

  private static float[][] embed(Pretrained model, Examples rows, String name) {
    try (Progress bar = Progress.of(name, rows.size())) {
      return model.embed(rows.texts(), bar::at);
    }
  }

  private static TextClassification rows(Pretrained model, Examples rows) {
    return new TextClassification(rows, model.tokenizer(), rows.labels());
  }

  private static long[] labels(Examples rows) {
    return rows.stream().mapToLong(Example::label).toArray();
  }
}
