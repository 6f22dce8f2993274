package org.peft4j.generate;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Beam search as {@code transformers} does it: of all continuations of a text's open beams by one
 * token, the best {@code 2 n} are looked at; those among the best n that end are kept as results,
 * the best n that do not go on.
 */
final class BeamSearch {
  /** Stands for no score; what is added to it is lost in float32, as in the reference. */
  private static final float NONE = -1e9f;

  private final Beams beams;
  private final Sampling sampling;
  private final Set<Long> endTokens;
  private final int maxTokens;

  BeamSearch(Beams beams, Sampling sampling, Set<Long> endTokens, int maxTokens) {
    this.beams = beams;
    this.sampling = sampling;
    this.endTokens = endTokens;
    this.maxTokens = maxTokens;
  }

  /**
   * Continues every text of {@code decoding}, which has not begun.
   *
   * @param prompts tokens in front of each text's own, for the repetition penalty
   * @return new tokens of the best continuation of each text, its end token included
   */
  List<long[]> run(Decoder decoding, long[][] prompts) {
    int n = beams.number();
    float[][] scores = decoding.begin();
    List<Hypotheses> texts = Arrays.stream(prompts).map(Hypotheses::new).toList();
    for (int step = 0; step < maxTokens; step++) {
      long[] from = new long[texts.size() * n];
      long[][] next = new long[from.length][1];
      for (int t = 0; t < texts.size(); t++) {
        Hypotheses h = texts.get(t);
        int first = step == 0 ? t : t * n; // the prompt has been read once for all beams
        h.extend(scores, first, step == 0 ? 1 : n);
        for (int b = 0; b < n; b++) {
          from[t * n + b] = (long) first + h.origins[b];
          next[t * n + b][0] = h.last(b);
        }
      }
      if (step + 1 == maxTokens || texts.stream().allMatch(h -> h.done)) {
        break;
      }
      decoding.select(from);
      scores = decoding.read(next);
    }
    return texts.stream().map(h -> h.finished[0].tokens).toList();
  }

  /** A continuation: its tokens, their summed log-probabilities, and the sum as it is compared. */
  @SuppressWarnings("ArrayRecordComponent") // never compared
  private record Beam(long[] tokens, float sum, float weighed, boolean ended) {
    static final Beam EMPTY = new Beam(new long[0], NONE, NONE, false);
  }

  /** A token behind an open beam. */
  private record Candidate(int beam, int token, float sum) {}

  /** The continuations of one text. */
  private final class Hypotheses {
    private final long[] prompt;
    private final Beam[] open = new Beam[beams.number()];
    private final int[] origins = new int[beams.number()];
    private Beam[] finished = new Beam[beams.number()];
    private boolean done;

    Hypotheses(long[] prompt) {
      this.prompt = prompt;
      Arrays.fill(open, Beam.EMPTY);
      Arrays.fill(finished, Beam.EMPTY);
      open[0] = new Beam(new long[0], 0, NONE, false);
    }

    /** The last token of a beam; any token where the text is done. */
    long last(int beam) {
      long[] tokens = open[beam].tokens;
      return tokens.length == 0 ? 0 : tokens[tokens.length - 1];
    }

    /**
     * Goes on by one token; {@code scores} holds those of its open beams from row {@code first}.
     */
    void extend(float[][] scores, int first, int beamsRead) {
      if (done) {
        Arrays.setAll(origins, b -> beamsRead == 1 ? 0 : b);
        return;
      }
      int n = beams.number();
      int length = open[0].tokens.length + 1;
      List<Candidate> best = best(scores, first, beamsRead);
      Beam[] all = new Beam[best.size()];
      for (int i = 0; i < all.length; i++) {
        Candidate c = best.get(i);
        long[] tokens = Arrays.copyOf(open[c.beam].tokens, length);
        tokens[length - 1] = c.token;
        boolean ends = endTokens.contains((long) c.token) || length == maxTokens;
        all[i] = new Beam(tokens, c.sum, beams.weighed(c.sum, length), ends);
      }
      int[] going = IntStream.range(0, all.length).filter(i -> !all[i].ended).limit(n).toArray();
      finish(Arrays.stream(all).limit(n).filter(b -> b.ended));
      for (int b = 0; b < going.length; b++) {
        open[b] = all[going[b]];
        origins[b] = best.get(going[b]).beam;
      }
      done = going.length < n || over(length);
    }

    private void finish(Stream<Beam> ended) {
      if (beams.early() && full()) {
        return;
      }
      finished =
          Stream.concat(Arrays.stream(finished), ended)
              .sorted(Comparator.comparingDouble((Beam b) -> -b.weighed))
              .limit(beams.number())
              .toArray(Beam[]::new);
    }

    private boolean full() {
      return Arrays.stream(finished).allMatch(b -> b.ended);
    }

    /** Whether no open beam can become better than the worst result, by its present length. */
    private boolean over(int length) {
      if (!full()) {
        return false;
      }
      float worst = finished[finished.length - 1].weighed;
      return beams.early() || beams.weighed(open[0].sum, length) <= worst;
    }

    private List<Candidate> best(float[][] scores, int first, int beamsRead) {
      int wanted = Math.max(2, 1 + endTokens.size()) * beams.number();
      java.util.PriorityQueue<Candidate> kept =
          new java.util.PriorityQueue<>(Comparator.comparingDouble(Candidate::sum));
      for (int b = 0; b < beamsRead; b++) {
        float[] log = logProbabilities(scores[first + b].clone());
        sampling.penalise(log, seen(b), prompt.length + open[b].tokens.length);
        for (int token = 0; token < log.length; token++) {
          float sum = log[token] + open[b].sum;
          if (kept.size() < wanted || sum > kept.element().sum) {
            kept.add(new Candidate(b, token, sum));
            if (kept.size() > wanted) {
              kept.remove();
            }
          }
        }
      }
      return kept.stream().sorted(Comparator.comparingDouble((Candidate c) -> -c.sum)).toList();
    }

    private long[] seen(int beam) {
      long[] own = open[beam].tokens;
      long[] all = Arrays.copyOf(prompt, prompt.length + own.length);
      System.arraycopy(own, 0, all, prompt.length, own.length);
      return all;
    }
  }

  /** {@code x - log sum exp x}, in place. */
  static float[] logProbabilities(float[] x) {
    double max = x[Sampling.best(x)];
    double sum = 0;
    for (float v : x) {
      sum += Math.exp(v - max);
    }
    double log = max + Math.log(sum);
    for (int i = 0; i < x.length; i++) {
      x[i] = (float) (x[i] - log);
    }
    return x;
  }
}
