package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a block and a graph of it computed from the same inputs.
 *
 * @param tolerance allowed difference where outputs are at most 1 in size, else relative to the
 *     largest
 */
public record Comparison(List<Row> rows, double tolerance) {
  /** The usual tolerance, for float32. */
  public static final double TOLERANCE = 1e-4;

  public Comparison {
    rows = List.copyOf(rows);
  }

  /**
   * One output at one set of sizes.
   *
   * @param difference largest absolute difference; infinite where shapes differ or one of both is
   *     not a number
   * @param largest largest absolute value of the block's
   * @param agreement share of the rows of the last axis with the same position of the largest
   *     value; 1 where there is nothing to choose from
   * @param divergence mean Kullback-Leibler divergence from the block's softmax to the graph's over
   *     the last axis, in nats, of logits; NaN of other outputs
   * @param note what is wrong, or empty
   */
  public record Row(
      Map<String, Long> sizes,
      String output,
      double difference,
      double largest,
      double agreement,
      double divergence,
      String note) {
    /** Holds what a graph gave against what is expected. */
    public static Row of(Map<String, Long> sizes, String output, NDArray expected, NDArray found) {
      return Differences.of(sizes, output, expected, found);
    }

    /** The same under another name. */
    public Row named(String other) {
      return new Row(sizes, other, difference, largest, agreement, divergence, note);
    }

    boolean within(double tolerance) {
      return relative() <= tolerance;
    }

    /** The difference, of outputs of size up to 1; of larger ones relative to the largest. */
    public double relative() {
      return difference / Math.max(1, largest);
    }
  }

  /** These rows and those. */
  public Comparison and(Comparison more) {
    List<Row> all = new ArrayList<>(rows);
    all.addAll(more.rows);
    return new Comparison(all, tolerance);
  }

  /** The same, each output's name followed by what is special about these runs. */
  public Comparison named(String special) {
    return new Comparison(
        rows.stream().map(r -> r.named(r.output + ", " + special)).toList(), tolerance);
  }

  /**
   * The same with one row, the worst, for outputs that differ by numbers in their names only, such
   * as those of a model's layers.
   */
  public Comparison worst() {
    Map<String, Row> kept = new LinkedHashMap<>();
    for (Row r : rows) {
      String group = r.output.replaceAll("(?<=\\.)\\d+(?=\\.)", "*");
      kept.merge(
          r.sizes + group,
          r.named(group),
          (a, b) -> b.relative() > a.relative() || Double.isNaN(b.relative()) ? b : a);
    }
    return new Comparison(List.copyOf(kept.values()), tolerance);
  }

  /** Whether all outputs at all sizes are within the tolerance. */
  public boolean passed() {
    return rows.stream().allMatch(r -> r.within(tolerance));
  }

  /** The largest absolute difference. */
  public double largestDifference() {
    return rows.stream().mapToDouble(Row::difference).max().orElse(0);
  }

  /**
   * Itself, if passed.
   *
   * @throws IllegalStateException with the table, if not
   */
  public Comparison orThrow() {
    if (!passed()) {
      throw new IllegalStateException("the graph does not compute what the block does\n" + this);
    }
    return this;
  }

  @Override
  public String toString() {
    List<String[]> cells = new ArrayList<>();
    boolean scored = rows.stream().anyMatch(r -> !Double.isNaN(r.divergence));
    cells.add(
        cells(
            scored, "sizes", "output", "max |difference|", "max |value|", "same argmax", "KL", ""));
    for (Row r : rows) {
      cells.add(
          cells(
              scored,
              Grid.describe(r.sizes),
              r.output,
              String.format(Locale.ROOT, "%.2e", r.difference),
              String.format(Locale.ROOT, "%.3g", r.largest),
              String.format(Locale.ROOT, "%.1f %%", 100 * r.agreement),
              Double.isNaN(r.divergence) ? "" : String.format(Locale.ROOT, "%.1e", r.divergence),
              r.within(tolerance) ? "ok" : "FAILED " + r.note));
    }
    int[] widths = new int[cells.get(0).length];
    cells.forEach(
        row -> java.util.Arrays.setAll(widths, i -> Math.max(widths[i], row[i].length())));
    StringBuilder text = new StringBuilder();
    for (String[] row : cells) {
      for (int i = 0; i < row.length; i++) {
        text.append(i == 0 ? "" : "  ");
        text.append(
            i == row.length - 1
                ? row[i]
                : String.format(
                    Locale.ROOT, i < 2 ? "%-" + widths[i] + "s" : "%" + widths[i] + "s", row[i]));
      }
      text.append('\n');
    }
    return text
        + String.format(
            Locale.ROOT, "tolerance %.0e, %s", tolerance, passed() ? "passed" : "FAILED");
  }

  /** Without the divergence where no row has one. */
  private static String[] cells(boolean scored, String... all) {
    List<String> some = new ArrayList<>(List.of(all));
    if (!scored) {
      some.remove(some.size() - 2);
    }
    return some.toArray(new String[0]);
  }
}
