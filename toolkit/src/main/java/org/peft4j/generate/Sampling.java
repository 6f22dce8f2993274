package org.peft4j.generate;

import java.util.Arrays;
import org.peft4j.tensor.Seed;

/**
 * How the next token is chosen from the scores of all: by the highest score, or at random from what
 * temperature, top-k, top-p and min-p leave, in this order, as transformers applies them.
 *
 * @param temperature what scores are divided by; 0 takes the highest score
 * @param topK how many of the best tokens may be chosen; 0 for all
 * @param topP the smallest set of best tokens whose probabilities reach this may be chosen, in (0,
 *     1] (arXiv 1904.09751)
 * @param minP tokens below this part of the best one's probability are left out, in [0, 1] (arXiv
 *     2407.01082)
 * @param repetitionPenalty what scores of tokens seen before are divided by (multiplied, where
 *     negative); 1 for none (arXiv 1909.05858)
 */
public record Sampling(
    double temperature, int topK, double topP, double minP, double repetitionPenalty) {
  /** The highest score. */
  public static final Sampling GREEDY = new Sampling(0, 0, 1, 0, 1);

  public Sampling {
    require(
        temperature >= 0 && Double.isFinite(temperature), "temperature", "0 or more", temperature);
    require(topK >= 0, "topK", "0 (all) or more", topK);
    require(topP > 0 && topP <= 1, "topP", "a probability in (0, 1]", topP);
    require(minP >= 0 && minP <= 1, "minP", "a probability in [0, 1]", minP);
    require(
        repetitionPenalty > 0 && Double.isFinite(repetitionPenalty),
        "repetitionPenalty",
        "a number above 0",
        repetitionPenalty);
  }

  private static void require(boolean ok, String name, String expected, Object found) {
    if (!ok) {
      throw new IllegalArgumentException(name + ": expected " + expected + ", found " + found);
    }
  }

  /**
   * Chooses a token.
   *
   * @param scores one per token, changed on the way
   * @param seen the tokens of the text so far; only its first {@code length} count
   * @param seed randomness of this row at this step
   */
  int choose(float[] scores, long[] seen, int length, Seed seed) {
    penalise(scores, seen, length);
    if (temperature == 0) {
      return best(scores);
    }
    for (int i = 0; i < scores.length; i++) {
      scores[i] = (float) (scores[i] / temperature);
    }
    keepTopK(scores);
    double[] p = probabilities(scores);
    keepTopP(p);
    keepMinP(p);
    return draw(p, seed.uniform(0));
  }

  void penalise(float[] scores, long[] seen, int length) {
    if (repetitionPenalty == 1) {
      return;
    }
    boolean[] done = new boolean[scores.length];
    for (int i = 0; i < length; i++) {
      int t = (int) seen[i];
      if (!done[t]) {
        done[t] = true;
        scores[t] =
            (float) (scores[t] < 0 ? scores[t] * repetitionPenalty : scores[t] / repetitionPenalty);
      }
    }
  }

  static int best(float[] scores) {
    int best = 0;
    for (int i = 1; i < scores.length; i++) {
      if (scores[i] > scores[best]) {
        best = i;
      }
    }
    return best;
  }

  private void keepTopK(float[] scores) {
    if (topK == 0 || topK >= scores.length) {
      return;
    }
    float[] sorted = scores.clone();
    Arrays.sort(sorted);
    float least = sorted[sorted.length - topK];
    for (int i = 0; i < scores.length; i++) {
      if (scores[i] < least) {
        scores[i] = Float.NEGATIVE_INFINITY;
      }
    }
  }

  private static double[] probabilities(float[] scores) {
    double max = scores[best(scores)];
    double[] p = new double[scores.length];
    double sum = 0;
    for (int i = 0; i < p.length; i++) {
      p[i] = Math.exp(scores[i] - max);
      sum += p[i];
    }
    for (int i = 0; i < p.length; i++) {
      p[i] /= sum;
    }
    return p;
  }

  /** Drops the least likely tokens while what is left keeps a probability of at least topP. */
  private void keepTopP(double[] p) {
    if (topP == 1) {
      return;
    }
    double[] sorted = p.clone();
    Arrays.sort(sorted);
    double dropped = 0;
    double least = 0;
    for (int i = 0; i < sorted.length - 1 && dropped + sorted[i] <= 1 - topP; i++) {
      dropped += sorted[i];
      least = sorted[i + 1];
    }
    drop(p, least);
  }

  private void keepMinP(double[] p) {
    double max = Arrays.stream(p).max().orElse(0);
    drop(p, minP * max);
  }

  private static void drop(double[] p, double below) {
    for (int i = 0; i < p.length; i++) {
      if (p[i] < below) {
        p[i] = 0;
      }
    }
  }

  /** The token at {@code u} in [0, 1) of what is left. */
  private static int draw(double[] p, double u) {
    double left = u * Arrays.stream(p).sum();
    int last = 0;
    for (int i = 0; i < p.length; i++) {
      if (p[i] > 0) {
        last = i;
        left -= p[i];
        if (left < 0) {
          return i;
        }
      }
    }
    return last;
  }
}
