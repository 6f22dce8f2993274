package org.peft4j.export;

import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import org.peft4j.onnx.Initializer;

/** How far stored weights are from those they were made of, tensor by tensor. */
public record QuantisationLoss(List<Tensor> tensors) {
  /** Nothing is stored in another form. */
  static final QuantisationLoss NONE = new QuantisationLoss(List.of());

  /** Rows of the table in {@link #toString}. */
  private static final int SHOWN = 8;

  public QuantisationLoss {
    tensors = List.copyOf(tensors);
  }

  /**
   * One weight.
   *
   * @param format such as {@code int4/32}, for 4 bits in blocks of 32
   * @param maxError largest absolute error
   * @param maxWeight largest absolute value before
   * @param squaredError sum of the squared errors
   * @param squaredWeights sum of the squared values before
   * @param bytesBefore as float32
   * @param bytesAfter with scales and zero points
   */
  public record Tensor(
      String name,
      Shape shape,
      String format,
      double maxError,
      double maxWeight,
      double squaredError,
      double squaredWeights,
      long bytesBefore,
      long bytesAfter) {

    /** The largest error over the largest weight; 0 where all weights are 0. */
    public double relative() {
      return maxWeight == 0 ? 0 : maxError / maxWeight;
    }

    /** The root of the mean squared error over that of the mean squared weight. */
    public double rootMeanSquare() {
      return squaredWeights == 0 ? 0 : Math.sqrt(squaredError / squaredWeights);
    }
  }

  /** The largest {@link Tensor#relative} of all tensors. */
  public double relative() {
    return tensors.stream().mapToDouble(Tensor::relative).max().orElse(0);
  }

  /** {@link Tensor#rootMeanSquare} of all weights together. */
  public double rootMeanSquare() {
    double weights = tensors.stream().mapToDouble(Tensor::squaredWeights).sum();
    double error = tensors.stream().mapToDouble(Tensor::squaredError).sum();
    return weights == 0 ? 0 : Math.sqrt(error / weights);
  }

  public long bytesBefore() {
    return tensors.stream().mapToLong(Tensor::bytesBefore).sum();
  }

  public long bytesAfter() {
    return tensors.stream().mapToLong(Tensor::bytesAfter).sum();
  }

  /** Both reports as one. */
  public QuantisationLoss and(QuantisationLoss other) {
    List<Tensor> all = new ArrayList<>(tensors);
    all.addAll(other.tensors);
    return new QuantisationLoss(all);
  }

  /** The tensors that lose most, and the total. */
  @Override
  public String toString() {
    if (tensors.isEmpty()) {
      return "no weight is stored in another form";
    }
    List<Tensor> worst =
        tensors.stream()
            .sorted(Comparator.comparingDouble(Tensor::relative).reversed())
            .limit(SHOWN)
            .toList();
    int width =
        Math.max("total".length(), worst.stream().mapToInt(t -> t.name().length()).max().orElse(0));
    StringBuilder text = new StringBuilder();
    text.append(row(width, "weight", "format", "max error / max", "rms error / rms", "MB"));
    for (Tensor t : worst) {
      text.append(
          row(
              width,
              t.name(),
              t.format(),
              percent(t.relative()),
              percent(t.rootMeanSquare()),
              megabytes(t.bytesBefore(), t.bytesAfter())));
    }
    if (tensors.size() > SHOWN) {
      text.append("... and ").append(tensors.size() - SHOWN).append(" that lose less\n");
    }
    text.append(
        row(
            width,
            "total",
            tensors.size() + " of them",
            percent(relative()),
            percent(rootMeanSquare()),
            megabytes(bytesBefore(), bytesAfter())));
    return text.toString().stripTrailing();
  }

  private static String row(
      int width, String name, String format, String max, String square, String bytes) {
    return String.format(
        Locale.ROOT, "%-" + width + "s  %-12s  %15s  %15s  %s%n", name, format, max, square, bytes);
  }

  private static String percent(double share) {
    return String.format(Locale.ROOT, "%.3g %%", 100 * share);
  }

  private static String megabytes(long before, long after) {
    return String.format(Locale.ROOT, "%.1f -> %.1f", before / 1e6, after / 1e6);
  }

  /** Adds up a tensor's errors. */
  static final class Sums {
    private double maxError;
    private double maxWeight;
    private double squaredError;
    private double squaredWeights;

    void add(float weight, float stored) {
      double error = Math.abs((double) weight - stored);
      maxError = Math.max(maxError, error);
      maxWeight = Math.max(maxWeight, Math.abs(weight));
      squaredError += error * error;
      squaredWeights += (double) weight * weight;
    }

    Tensor tensor(Initializer weight, String format, long bytesAfter) {
      return new Tensor(
          weight.name(),
          weight.shape(),
          format,
          maxError,
          maxWeight,
          squaredError,
          squaredWeights,
          weight.size(),
          bytesAfter);
    }
  }
}
