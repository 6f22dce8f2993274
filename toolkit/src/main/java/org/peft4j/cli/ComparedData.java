package org.peft4j.cli;

import java.util.Locale;
import java.util.function.ToDoubleFunction;
import org.peft4j.Models;
import org.peft4j.Tuned;
import org.peft4j.data.Data;
import org.peft4j.data.Examples;
import org.peft4j.data.Splits;
import org.peft4j.model.Pretrained;
import org.peft4j.notebook.Progress;
import org.peft4j.train.Diverged;
import org.peft4j.train.Fit;
import org.peft4j.train.Training;

/** What all methods of a comparison have in common: model, rows, steps. */
record ComparedData(Comparison.Size size, Splits splits, Pretrained embedder) {
  static final int BATCH = 8;
  private static final long SPLIT_SEED = 7;

  /** WordNet and MiniLM, without dropout: it learns more so in few steps. */
  static ComparedData of(Comparison.Size size) {
    return new ComparedData(
        size, Data.wordnet().split(SPLIT_SEED), Models.load("minilm").withDropout(0));
  }

  /** The training glosses of a seed; {@link #validation} and {@link #test} are the others. */
  Examples train(int seed) {
    return splits.train().sample(size.train(), seed);
  }

  Examples validation(int seed) {
    return splits.validation().sample(size.validation(), seed);
  }

  Examples test(int seed) {
    return splits.test().sample(size.test(), seed);
  }

  /** Trains what is attached and scores it; a rate that is too high for it scores 0. */
  Comparison.Run fit(
      Tuned tuned,
      Training training,
      ToDoubleFunction<Tuned> score,
      String name,
      double rate,
      int seed) {
    long trainable = tuned.trainableParameters();
    String title = String.format(Locale.ROOT, "%s, rate %s, seed %d", name, rate, seed);
    try {
      Fit fit =
          training
              .epochs(size.epochs())
              .batchSize(BATCH)
              .learningRate(rate)
              .seed(seed)
              .quiet()
              .listen(new Progress.Training(title))
              .run();
      if (fit.ending() == Fit.Ending.INTERRUPTED) {
        throw new IllegalStateException("interrupted; what was measured before is kept");
      }
      return new Comparison.Run(trainable, score.applyAsDouble(tuned));
    } catch (Diverged e) {
      return new Comparison.Run(trainable, 0);
    }
  }
}
