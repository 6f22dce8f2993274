package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Map;

/** How far two arrays that should be the same are apart. */
final class Differences {
  private static final long TOGETHER = 1 << 17;

  private double difference;
  private double largest;
  private double divergence;
  private long same;

  private final boolean scored;

  private Differences(boolean scored) {
    this.scored = scored;
  }

  static Comparison.Row of(
      Map<String, Long> sizes, String output, NDArray expected, NDArray found) {
    if (!expected.getShape().equals(found.getShape())
        || expected.getDataType() != found.getDataType()) {
      String note =
          "expected "
              + Types.text(expected.getDataType())
              + " "
              + expected.getShape()
              + ", found "
              + Types.text(found.getDataType())
              + " "
              + found.getShape();
      return new Comparison.Row(sizes, output, Double.POSITIVE_INFINITY, 0, 0, Double.NaN, note);
    }
    Differences all = new Differences(output.startsWith("logits"));
    long size = expected.size();
    long width = size == 0 || expected.getShape().dimension() == 0 ? 1 : last(expected.getShape());
    long rows = size / width;
    long step = Math.max(1, TOGETHER / width);
    for (long from = 0; from < rows; from += step) {
      long to = Math.min(rows, from + step);
      all.add((int) width, doubles(expected, width, from, to), doubles(found, width, from, to));
    }
    return new Comparison.Row(
        sizes,
        output,
        all.difference,
        all.largest,
        rows == 0 ? 1 : all.same / (double) rows,
        all.divergence(rows),
        "");
  }

  private static long last(Shape shape) {
    return shape.get(shape.dimension() - 1);
  }

  /** Some rows: of logits of a large vocabulary all of them would take much memory. */
  private static double[] doubles(NDArray array, long width, long from, long to) {
    try (NDArray flat = array.reshape(-1, width);
        NDArray part = flat.get(new NDIndex("{}:{}", from, to));
        NDArray wide = part.toType(DataType.FLOAT64, true)) {
      return wide.toDoubleArray();
    }
  }

  private void add(int width, double[] a, double[] b) {
    for (int i = 0; i < a.length; i++) {
      boolean same = a[i] == b[i] || (Double.isNaN(a[i]) && Double.isNaN(b[i]));
      double d = same ? 0 : Math.abs(a[i] - b[i]);
      difference = Math.max(difference, Double.isNaN(d) ? Double.POSITIVE_INFINITY : d);
      largest = Math.max(largest, Double.isFinite(a[i]) ? Math.abs(a[i]) : 0);
    }
    for (int r = 0; r < a.length; r += width) {
      same += largest(a, r, width) == largest(b, r, width) ? 1 : 0;
      divergence += scored ? divergence(a, b, r, width) : 0;
    }
  }

  private static int largest(double[] x, int from, int n) {
    int best = from;
    for (int i = from; i < from + n; i++) {
      best = x[i] > x[best] ? i : best;
    }
    return best;
  }

  private double divergence(long rows) {
    if (!scored) {
      return Double.NaN;
    }
    return rows == 0 ? 0 : Math.max(0, divergence / rows); // rounding may leave it below 0
  }

  /** {@code sum softmax(a) (log softmax(a) - log softmax(b))} of one row. */
  private static double divergence(double[] a, double[] b, int from, int n) {
    double za = logSum(a, from, n);
    double zb = logSum(b, from, n);
    double sum = 0;
    for (int i = from; i < from + n; i++) {
      double p = Math.exp(a[i] - za);
      sum += p == 0 ? 0 : p * (a[i] - za - b[i] + zb);
    }
    return sum;
  }

  private static double logSum(double[] x, int from, int n) {
    double most = x[largest(x, from, n)];
    double sum = 0;
    for (int i = from; i < from + n; i++) {
      sum += Math.exp(x[i] - most);
    }
    return most + Math.log(sum);
  }
}
