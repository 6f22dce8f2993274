package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Map;

/** How far two arrays that should be the same are apart. */
final class Differences {
  private Differences() {}

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
    double[] a = doubles(expected);
    double[] b = doubles(found);
    double difference = 0;
    double largest = 0;
    for (int i = 0; i < a.length; i++) {
      boolean same = a[i] == b[i] || (Double.isNaN(a[i]) && Double.isNaN(b[i]));
      double d = same ? 0 : Math.abs(a[i] - b[i]);
      difference = Math.max(difference, Double.isNaN(d) ? Double.POSITIVE_INFINITY : d);
      largest = Math.max(largest, Double.isFinite(a[i]) ? Math.abs(a[i]) : 0);
    }
    int width = width(expected.getShape(), a);
    return new Comparison.Row(
        sizes,
        output,
        difference,
        largest,
        agreement(width, a, b),
        output.startsWith("logits") ? divergence(width, a, b) : Double.NaN,
        "");
  }

  private static double[] doubles(NDArray array) {
    return array.toType(DataType.FLOAT64, false).toDoubleArray();
  }

  private static int width(Shape shape, double[] a) {
    return shape.dimension() == 0 || a.length == 0 ? 1 : (int) shape.get(shape.dimension() - 1);
  }

  private static double agreement(int width, double[] a, double[] b) {
    int rows = a.length / width;
    int same = 0;
    for (int r = 0; r < rows; r++) {
      same += largest(a, r * width, width) == largest(b, r * width, width) ? 1 : 0;
    }
    return rows == 0 ? 1 : (double) same / rows;
  }

  private static int largest(double[] x, int from, int n) {
    int best = from;
    for (int i = from; i < from + n; i++) {
      best = x[i] > x[best] ? i : best;
    }
    return best;
  }

  /** Mean over the rows of {@code sum softmax(a) (log softmax(a) - log softmax(b))}. */
  private static double divergence(int width, double[] a, double[] b) {
    int rows = a.length / width;
    double sum = 0;
    for (int r = 0; r < rows; r++) {
      double za = logSum(a, r * width, width);
      double zb = logSum(b, r * width, width);
      for (int i = r * width; i < (r + 1) * width; i++) {
        double p = Math.exp(a[i] - za);
        sum += p == 0 ? 0 : p * (a[i] - za - b[i] + zb);
      }
    }
    return rows == 0 ? 0 : Math.max(0, sum / rows); // rounding may leave it below 0
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
