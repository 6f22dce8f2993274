package org.peft4j.notebook;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jfree.chart.ChartUtils;
import org.jfree.chart.JFreeChart;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.renderer.xy.XYLineAndShapeRenderer;
import org.jfree.chart.ui.RectangleInsets;
import org.jfree.data.xy.XYSeries;
import org.jfree.data.xy.XYSeriesCollection;
import org.peft4j.format.AtomicFiles;
import org.peft4j.train.Fit;
import org.peft4j.train.RunListener;

/** Charts of training runs as pictures (JFreeChart). */
public final class Charts {
  private static final Color[] COLOURS = {
    new Color(0x1F6FB4),
    new Color(0xD9622B),
    new Color(0x3A923A),
    new Color(0x8A5AB5),
    new Color(0x6B6B6B)
  };
  private static final int WIDTH = 900;
  private static final int HEIGHT = 520;

  private Charts() {}

  /** The loss of one run. */
  public static BufferedImage loss(Fit fit) {
    return loss("Training loss", Map.of("loss", fit));
  }

  /**
   * The losses of several runs over their steps, smoothed by an exponential mean, with the single
   * steps behind them in a pale tone.
   *
   * @throws IllegalStateException with one sentence, where this JDK cannot draw (no fonts, no AWT)
   */
  public static BufferedImage loss(String title, Map<String, Fit> runs) {
    try {
      return draw(title, runs).createBufferedImage(WIDTH, HEIGHT);
    } catch (RuntimeException | LinkageError | InternalError e) {
      throw new IllegalStateException(
          "this JDK cannot draw charts ("
              + e
              + ")\nfix: install a font (on Debian: apt-get install fontconfig fonts-dejavu-core), or a JDK that is not headless-only",
          e);
    }
  }

  /** Writes a picture as PNG, whole or not at all. */
  public static void write(BufferedImage picture, Path file) throws IOException {
    AtomicFiles.stream(file, out -> ChartUtils.writeBufferedImageAsPNG(out, picture));
  }

  private static JFreeChart draw(String title, Map<String, Fit> runs) {
    XYSeriesCollection data = new XYSeriesCollection();
    XYLineAndShapeRenderer renderer = new XYLineAndShapeRenderer(true, false);
    int colour = 0;
    for (Map.Entry<String, Fit> run : new LinkedHashMap<>(runs).entrySet()) {
      Color c = COLOURS[colour++ % COLOURS.length];
      add(data, renderer, smooth(run.getKey(), run.getValue().steps()), c, 2.2f, true);
    }
    colour = 0;
    for (Map.Entry<String, Fit> run : new LinkedHashMap<>(runs).entrySet()) {
      Color c = COLOURS[colour++ % COLOURS.length];
      XYSeries raw = new XYSeries(run.getKey() + " ");
      run.getValue().steps().forEach(s -> raw.add(s.step(), s.loss()));
      add(data, renderer, raw, new Color(c.getRed(), c.getGreen(), c.getBlue(), 60), 1f, false);
    }
    NumberAxis x = new NumberAxis("step");
    NumberAxis y = new NumberAxis("loss");
    y.setAutoRangeIncludesZero(false);
    XYPlot plot = new XYPlot(data, x, y, renderer);
    plot.setBackgroundPaint(Color.WHITE);
    plot.setDomainGridlinePaint(new Color(0xDDDDDD));
    plot.setRangeGridlinePaint(new Color(0xDDDDDD));
    plot.setOutlineVisible(false);
    JFreeChart chart = new JFreeChart(title, new Font(Font.SANS_SERIF, Font.BOLD, 18), plot, true);
    chart.setBackgroundPaint(Color.WHITE);
    chart.setPadding(new RectangleInsets(10, 10, 10, 20));
    chart.getLegend().setFrame(org.jfree.chart.block.BlockBorder.NONE);
    return chart;
  }

  private static void add(
      XYSeriesCollection data,
      XYLineAndShapeRenderer renderer,
      XYSeries series,
      Color colour,
      float width,
      boolean inLegend) {
    data.addSeries(series);
    int i = data.getSeriesCount() - 1;
    renderer.setSeriesPaint(i, colour);
    renderer.setSeriesStroke(
        i, new BasicStroke(width, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
    renderer.setSeriesVisibleInLegend(i, inLegend);
  }

  private static XYSeries smooth(String name, List<RunListener.Step> steps) {
    XYSeries out = new XYSeries(name);
    double decay = Math.max(0, 1 - 20.0 / Math.max(20, steps.size()));
    double mean = 0;
    double weight = 0;
    for (RunListener.Step s : steps) {
      mean = decay * mean + (1 - decay) * s.loss();
      weight = decay * weight + (1 - decay);
      out.add(s.step(), mean / weight);
    }
    return out;
  }
}
