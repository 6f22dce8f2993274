package org.peft4j.export;

import org.peft4j.generate.Decoder;

/** Texts continued greedily, whatever tokens come. */
final class Continued {
  private Continued() {}

  static long[][] by(Decoder decoder, int steps) {
    try (decoder) {
      float[][] scores = decoder.begin();
      long[][] out = new long[scores.length][steps];
      for (int step = 0; step < steps; step++) {
        long[][] next = new long[out.length][1];
        for (int r = 0; r < out.length; r++) {
          next[r][0] = best(scores[r]);
          out[r][step] = next[r][0];
        }
        if (step + 1 < steps) {
          scores = decoder.read(next);
        }
      }
      return out;
    }
  }

  private static int best(float[] scores) {
    int best = 0;
    for (int i = 0; i < scores.length; i++) {
      best = scores[i] > scores[best] ? i : best;
    }
    return best;
  }
}
