package org.peft4j.notebook;

import java.awt.Color;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.plot.Plot;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;
import org.peft4j.train.Fit;

/**
 * Lines and points over two axes of numbers:
 *
 * <pre>{@code
 * Charts.lines("Accuracy by rank").axes("rank", "accuracy").logX().line("LoRA", ranks, accuracies)
 * Charts.lines("Cost and use").axes("parameters", "accuracy").logX().point("lora", 83_738, 0.75)
 * }</pre>
 */
public final class LineChart extends Chart {
  /** How a series looks. */
  private enum Form {
    LINE,
    /** A line with a mark at each value. */
    MARKED,
    /** A thin, pale line that the legend leaves out. */
    FAINT,
    POINTS
  }

  /** Some values. */
  private static final class Series {
    final String name;
    final Form form;
    final int colour;
    final double[] x;
    final double[] y;
    final List<String> labels; // of the points, or empty

    Series(String name, Form form, int colour, double[] x, double[] y, List<String> labels) {
      this.name = name;
      this.form = form;
      this.colour = colour;
      this.x = x;
      this.y = y;
      this.labels = labels;
    }
  }

  /**
   * The axes.
   *
   * @param from the smallest x to show, NaN for that of the values
   */
  private record Axes(
      String x, String y, boolean logX, boolean logY, double from, double to, int height) {
    Axes named(String x, String y) {
      return new Axes(x, y, logX, logY, from, to, height);
    }

    Axes logarithmic(boolean alsoX, boolean alsoY) {
      return new Axes(x, y, logX || alsoX, logY || alsoY, from, to, height);
    }

    Axes over(double from, double to) {
      return new Axes(x, y, logX, logY, from, to, height);
    }

    Axes high(int pixels) {
      return new Axes(x, y, logX, logY, from, to, pixels);
    }
  }

  private final Axes axes;
  private final List<Series> series;

  private LineChart(String title, Axes axes, List<Series> series) {
    super(title);
    this.axes = axes;
    this.series = List.copyOf(series);
  }

  static LineChart of(String title) {
    return new LineChart(
        title, new Axes("", "", false, false, Double.NaN, Double.NaN, HEIGHT), List.of());
  }

  private LineChart with(Axes a) {
    return new LineChart(title(), a, series);
  }

  private LineChart with(Series s) {
    if (s.x.length != s.y.length) {
      throw new IllegalArgumentException(
          "'"
              + s.name
              + "'\nexpected: as many x as y\nfound: "
              + s.x.length
              + " and "
              + s.y.length);
    }
    List<Series> more = new ArrayList<>(series);
    more.add(s);
    return new LineChart(title(), axes, more);
  }

  /** What stands at the axes. */
  public LineChart axes(String x, String y) {
    return with(axes.named(x, y));
  }

  /** A logarithmic x axis; values must be above 0. */
  public LineChart logX() {
    return with(axes.logarithmic(true, false));
  }

  /** A logarithmic y axis; values must be above 0. */
  public LineChart logY() {
    return with(axes.logarithmic(false, true));
  }

  /** Shows x from {@code from} to {@code to}, whatever the values. */
  public LineChart rangeX(double from, double to) {
    return with(axes.over(from, to));
  }

  /** So many pixels high; 400 by default. */
  public LineChart height(int pixels) {
    return with(axes.high(pixels));
  }

  @Override
  int height() {
    return axes.height;
  }

  /** A line over 0, 1, 2 and so on. */
  public LineChart line(String name, double... y) {
    double[] x = new double[y.length];
    java.util.Arrays.setAll(x, i -> i);
    return add(name, Form.LINE, x, y);
  }

  /** A line through points. */
  public LineChart line(String name, double[] x, double[] y) {
    return add(name, x.length > 24 ? Form.LINE : Form.MARKED, x, y);
  }

  /** A line through the entries, in their order. */
  public LineChart line(String name, Map<? extends Number, ? extends Number> points) {
    return line(name, numbers(points.keySet()), numbers(points.values()));
  }

  /**
   * The losses of a run over its steps, smoothed by an exponential mean, with the single steps
   * behind them in a pale tone.
   */
  public LineChart run(String name, Fit fit) {
    return LossCurve.of(fit.steps()).on(this, name);
  }

  /** A pale line of the next line's colour that the legend leaves out. */
  LineChart faint(double[] x, double[] y) {
    return with(new Series("", Form.FAINT, named(), x.clone(), y.clone(), List.of()));
  }

  /** Points without a line. */
  public LineChart points(String name, double[] x, double[] y) {
    return add(name, Form.POINTS, x, y);
  }

  /** One point, its name beside it. */
  public LineChart point(String name, double x, double y) {
    return point("", name, x, y);
  }

  /** One point, its name beside it, in the colour of {@code group}, which the legend explains. */
  public LineChart point(String group, String name, double x, double y) {
    List<Series> more = new ArrayList<>(series);
    for (int i = 0; i < more.size(); i++) {
      Series s = more.get(i);
      if (s.form == Form.POINTS && s.name.equals(group) && !s.labels.isEmpty()) {
        List<String> labels = new ArrayList<>(s.labels);
        labels.add(name);
        more.set(
            i,
            new Series(group, s.form, s.colour, plus(s.x, x), plus(s.y, y), List.copyOf(labels)));
        return new LineChart(title(), axes, more);
      }
    }
    return with(
        new Series(group, Form.POINTS, named(), new double[] {x}, new double[] {y}, List.of(name)));
  }

  private LineChart add(String name, Form form, double[] x, double[] y) {
    return with(new Series(name, form, named(), x.clone(), y.clone(), List.of()));
  }

  private int named() {
    return (int) series.stream().filter(s -> s.form != Form.FAINT).count();
  }

  private static double[] plus(double[] values, double more) {
    double[] out = java.util.Arrays.copyOf(values, values.length + 1);
    out[values.length] = more;
    return out;
  }

  private static double[] numbers(java.util.Collection<? extends Number> values) {
    return values.stream().mapToDouble(Number::doubleValue).toArray();
  }

  // ---- drawing

  @Override
  Plot plot(ChartLook look) {
    XYSeriesCollection data = new XYSeriesCollection();
    XYLineAndShapeRenderer renderer = new XYLineAndShapeRenderer(true, false);
    // what comes first is drawn last, so that lines lie over their pale ones
    List<Series> order = new ArrayList<>();
    series.stream().filter(s -> s.form != Form.FAINT).forEach(order::add);
    series.stream().filter(s -> s.form == Form.FAINT).forEach(order::add);
    for (int i = 0; i < order.size(); i++) {
      Series s = order.get(i);
      XYSeries values = new XYSeries(i + "\n" + s.name, false, true);
      for (int j = 0; j < s.x.length; j++) {
        if (isShown(s.x[j], axes.logX) && isShown(s.y[j], axes.logY)) {
          values.add(s.x[j], s.y[j]);
        }
      }
      data.addSeries(values);
      style(renderer, i, s);
    }
    renderer.setLegendItemLabelGenerator(
        (d, i) -> {
          String key = String.valueOf(d.getSeriesKey(i));
          return key.substring(key.indexOf('\n') + 1);
        });
    ValueAxis x = look.axis(axes.x, axes.logX);
    ValueAxis y = look.axis(axes.y, axes.logY);
    XYPlot plot = new XYPlot(data, x, y, renderer);
    if (!Double.isNaN(axes.from)) {
      x.setRange(axes.from, axes.to);
    }
    look.grid(plot);
    label(plot, look);
    return plot;
  }

  private static boolean isShown(double value, boolean log) {
    return Double.isFinite(value) && (!log || value > 0);
  }

  private static void style(XYLineAndShapeRenderer renderer, int i, Series s) {
    Color colour = ChartLook.colour(s.colour);
    boolean faint = s.form == Form.FAINT;
    boolean points = s.form == Form.POINTS;
    renderer.setSeriesPaint(i, faint ? ChartLook.faint(colour) : colour);
    renderer.setSeriesStroke(i, ChartLook.line(faint ? 1f : 2.2f));
    renderer.setSeriesLinesVisible(i, !points);
    renderer.setSeriesShapesVisible(i, points || s.form == Form.MARKED);
    renderer.setSeriesShape(i, ChartLook.dot(points ? 8 : 7));
    renderer.setLegendShape(i, points ? ChartLook.dot(9) : null);
    renderer.setSeriesVisibleInLegend(i, !faint && !s.name.isEmpty());
  }

  private void label(XYPlot plot, ChartLook look) {
    PointLabels labels = new PointLabels(plot, width(), height(), look.ink());
    for (Series s : series) {
      for (int j = 0; j < s.x.length; j++) {
        labels.add(s.x[j], s.y[j], j < s.labels.size() ? s.labels.get(j) : "");
      }
    }
    if (series.stream().anyMatch(s -> !s.labels.isEmpty())) {
      labels.place();
    }
  }

  @Override
  String summary() {
    return series.stream()
        .filter(s -> s.form != Form.FAINT && s.y.length > 0)
        .map(
            s ->
                s.labels.isEmpty()
                    ? s.name
                        + ": "
                        + Table.text(s.y[0])
                        + (s.y.length > 1 ? " -> " + Table.text(s.y[s.y.length - 1]) : "")
                    : s.labels.size() + " points" + (s.name.isEmpty() ? "" : ", " + s.name))
        .collect(Collectors.joining("\n"));
  }
}
