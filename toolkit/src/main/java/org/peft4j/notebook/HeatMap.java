package org.peft4j.notebook;

import java.awt.Color;
import java.awt.Font;
import java.awt.image.BufferedImage;
import java.util.Locale;
import org.jfree.chart.annotations.XYDataImageAnnotation;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.plot.Plot;
import org.jfree.chart.plot.XYPlot;

/**
 * A matrix in colours: blue below zero, orange above, nothing at zero; large ones are shrunk to the
 * extremes of what falls together. Rows go down, columns to the right.
 */
public final class HeatMap extends Chart {
  private static final int MOST = 192;

  private final float[][] values;
  private final double largest;
  private final String x;
  private final String y;

  private HeatMap(String title, float[][] values, String x, String y, double largest) {
    super(title);
    this.values = values;
    this.x = x;
    this.y = y;
    this.largest = largest;
  }

  static HeatMap of(String title, float[][] values) {
    if (values.length == 0 || values[0].length == 0) {
      throw new IllegalArgumentException("matrix: expected at least one value, found none");
    }
    float[][] copy = new float[values.length][];
    double largest = 0;
    for (int i = 0; i < values.length; i++) {
      if (values[i].length != values[0].length) {
        throw new IllegalArgumentException(
            "matrix\nexpected: rows of "
                + values[0].length
                + "\nfound: one of "
                + values[i].length);
      }
      copy[i] = values[i].clone();
      for (float v : copy[i]) {
        largest = Math.max(largest, Math.abs(v));
      }
    }
    return new HeatMap(title, copy, "", "", largest);
  }

  /** What stands at the axes. */
  public HeatMap axes(String columns, String rows) {
    return new HeatMap(title(), values, columns, rows, largest);
  }

  /** The absolute value that has the full colour; the largest one by default. */
  public HeatMap largest(double value) {
    return new HeatMap(title(), values, x, y, value);
  }

  @Override
  int width() {
    return 470;
  }

  @Override
  int height() {
    double shape = (double) values.length / values[0].length;
    return 80 + (int) Math.round(380 * Math.max(0.25, Math.min(1.6, shape)));
  }

  @Override
  Plot plot(ChartLook look) {
    int rows = values.length;
    int columns = values[0].length;
    NumberAxis ax = axis(look, x, columns);
    NumberAxis ay = axis(look, y, rows);
    ay.setInverted(true);
    XYPlot plot = new XYPlot(null, ax, ay, null);
    plot.addAnnotation(
        new XYDataImageAnnotation(image(), 0, 0, columns, rows, /* includeInDataBounds= */ true),
        false);
    plot.setDomainGridlinesVisible(false);
    plot.setRangeGridlinesVisible(false);
    return plot;
  }

  private static NumberAxis axis(ChartLook look, String label, int size) {
    NumberAxis axis = new NumberAxis(label);
    look.style(axis);
    axis.setTickLabelFont(ChartLook.font(Font.PLAIN, 11));
    axis.setRange(0, size);
    axis.setStandardTickUnits(NumberAxis.createIntegerTickUnits());
    return axis;
  }

  private BufferedImage image() {
    int rows = Math.min(MOST, values.length);
    int columns = Math.min(MOST, values[0].length);
    float[][] cells = new float[rows][columns];
    for (int i = 0; i < values.length; i++) {
      for (int j = 0; j < values[i].length; j++) {
        int r = (int) ((long) i * rows / values.length);
        int c = (int) ((long) j * columns / values[i].length);
        if (Math.abs(values[i][j]) > Math.abs(cells[r][c])) {
          cells[r][c] = values[i][j];
        }
      }
    }
    BufferedImage image = new BufferedImage(columns, rows, BufferedImage.TYPE_INT_ARGB);
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < columns; c++) {
        image.setRGB(c, r, colour(cells[r][c]));
      }
    }
    return image;
  }

  private int colour(double value) {
    double share = largest == 0 ? 0 : Math.min(1, Math.abs(value) / largest);
    Color c = ChartLook.colour(value < 0 ? 0 : 1);
    int alpha = (int) Math.round(255 * Math.sqrt(share));
    return new Color(c.getRed(), c.getGreen(), c.getBlue(), alpha).getRGB();
  }

  @Override
  String summary() {
    return String.format(
        Locale.ROOT,
        "%d x %d values, the largest %s",
        values.length,
        values[0].length,
        Table.text(largest));
  }
}
