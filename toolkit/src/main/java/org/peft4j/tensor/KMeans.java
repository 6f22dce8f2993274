package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.util.Arrays;
import java.util.List;

/**
 * Lloyd's k-means from centres that are rows drawn without replacement, as scikit-learn 1.3 and
 * later run {@code KMeans(k, init="random", n_init=1, max_iter=10, random_state=seed)}, in double
 * precision.
 *
 * @param labels the cluster of every row, from 0
 * @param tied whether a row was as far from one centre as from another, up to rounding: it went to
 *     the first, and another program may put it elsewhere
 */
public record KMeans(List<Integer> labels, boolean tied) {
  private static final int ITERATIONS = 10;
  private static final double TOLERANCE = 1e-4;

  /** What distances may differ by and still be the same, in parts of the rows' mean square. */
  private static final double ROUNDING = 1e-10;

  /** Clusters {@code rows}, {@code [n, width]}, into k, at most n. */
  public static KMeans of(NDArray rows, int k, long seed) {
    int n = Math.toIntExact(rows.getShape().get(0));
    if (k < 1 || k > n) {
      throw new IllegalArgumentException("clusters\nexpected: from 1 to " + n + "\nfound: " + k);
    }
    NDArray x = rows.toType(DataType.FLOAT64, false);
    NDArray centred = x.sub(x.mean(new int[] {0}, true));
    return new Run(centred.toDoubleArray(), n, k).run(chosen(n, k, seed));
  }

  /** The rows that {@code numpy.random.RandomState(seed).choice} draws with equal weights. */
  private static int[] chosen(int n, int k, long seed) {
    MersenneTwister random = new MersenneTwister(seed);
    boolean[] taken = new boolean[n];
    int[] out = new int[k];
    int found = 0;
    while (found < k) {
      double[] drawn = new double[k - found];
      Arrays.setAll(drawn, i -> random.real());
      double[] until = cumulative(taken);
      for (double u : drawn) {
        int row = 0;
        while (until[row] <= u) {
          row++;
        }
        if (!taken[row]) {
          taken[row] = true;
          out[found++] = row;
        }
      }
    }
    return out;
  }

  private static double[] cumulative(boolean[] taken) {
    double each = 1f / taken.length; // weights are in single precision there
    double[] sums = new double[taken.length];
    double sum = 0;
    for (int i = 0; i < sums.length; i++) {
      sum += taken[i] ? 0 : each;
      sums[i] = sum;
    }
    double all = sum;
    Arrays.setAll(sums, i -> sums[i] / all);
    return sums;
  }

  private static final class Run {
    private final double[] x;
    private final int n;
    private final int k;
    private final int width;
    private final double meanSquare;
    private final int[] labels;
    private double[][] centres;
    private boolean tied;

    Run(double[] x, int n, int k) {
      this.x = x;
      this.n = n;
      this.k = k;
      width = x.length / n;
      labels = new int[n];
      centres = new double[k][];
      meanSquare = Arrays.stream(x).map(v -> v * v).sum() / n;
    }

    KMeans run(int[] first) {
      for (int c = 0; c < k; c++) {
        centres[c] = Arrays.copyOfRange(x, first[c] * width, (first[c] + 1) * width);
      }
      double tolerance = TOLERANCE * meanSquare / width;
      int[] before = new int[n];
      Arrays.fill(before, -1);
      for (int i = 0; i < ITERATIONS; i++) {
        assign();
        double moved = move();
        if (Arrays.equals(labels, before)) {
          return result();
        }
        if (moved <= tolerance) {
          break;
        }
        System.arraycopy(labels, 0, before, 0, n);
      }
      assign();
      return result();
    }

    private KMeans result() {
      return new KMeans(Arrays.stream(labels).boxed().toList(), tied);
    }

    private void assign() {
      double same = ROUNDING * meanSquare;
      double[] away = new double[k];
      for (int row = 0; row < n; row++) {
        int nearest = 0;
        for (int c = 0; c < k; c++) {
          away[c] = distance(row, centres[c]);
          nearest = away[c] < away[nearest] - same ? c : nearest;
        }
        for (int c = 0; c < k; c++) {
          tied |= c != nearest && away[c] <= away[nearest] + same;
        }
        labels[row] = nearest;
      }
    }

    private double distance(int row, double[] centre) {
      double sum = 0;
      for (int j = 0; j < width; j++) {
        double d = x[row * width + j] - centre[j];
        sum += d * d;
      }
      return sum;
    }

    /** Centres to the means of their rows; returns the sum of squares of the ways they went. */
    private double move() {
      double[][] means = new double[k][width];
      int[] members = new int[k];
      for (int row = 0; row < n; row++) {
        add(means[labels[row]], row, 1);
        members[labels[row]]++;
      }
      for (int c = 0; c < k; c++) {
        if (members[c] == 0) { // takes the row that is farthest from its centre
          int far = farthest();
          add(means[labels[far]], far, -1);
          members[labels[far]]--;
          add(means[c], far, 1);
          members[c]++;
        }
      }
      double moved = 0;
      for (int c = 0; c < k; c++) {
        for (int j = 0; j < width; j++) {
          means[c][j] /= members[c];
          double d = means[c][j] - centres[c][j];
          moved += d * d;
        }
      }
      centres = means;
      return moved;
    }

    private int farthest() {
      int far = 0;
      double most = -1;
      for (int row = 0; row < n; row++) {
        double d = distance(row, centres[labels[row]]);
        if (d > most) {
          most = d;
          far = row;
        }
      }
      return far;
    }

    private void add(double[] sum, int row, int times) {
      for (int j = 0; j < width; j++) {
        sum[j] += times * x[row * width + j];
      }
    }
  }
}
