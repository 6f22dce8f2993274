package org.peft4j.notebook;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Shape;
import java.awt.Stroke;
import java.awt.geom.Ellipse2D;
import org.jfree.chart.JFreeChart;
import org.jfree.chart.axis.Axis;
import org.jfree.chart.axis.LogAxis;
import org.jfree.chart.axis.NumberAxis;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.block.BlockBorder;
import org.jfree.chart.plot.CategoryPlot;
import org.jfree.chart.plot.Plot;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.title.LegendTitle;
import org.jfree.chart.title.TextTitle;
import org.jfree.chart.ui.HorizontalAlignment;
import org.jfree.chart.ui.RectangleEdge;
import org.jfree.chart.ui.RectangleInsets;

/**
 * Colours and strokes of all charts.
 *
 * @param ink of letters; on {@link #PAGE} a grey that reads well on white and on black
 * @param ground what is behind, transparent on a page
 */
record ChartLook(Color ink, Color ground) {
  /** For notebooks, whose pages may be light or dark. */
  static final ChartLook PAGE = new ChartLook(new Color(0x7D8590), new Color(0, 0, 0, 0));

  /** For files that somebody prints or looks at alone. */
  static final ChartLook PAPER = new ChartLook(new Color(0x24292F), Color.WHITE);

  private static final Color[] COLOURS = {
    new Color(0x3B82C4),
    new Color(0xE0702A),
    new Color(0x3A9E58),
    new Color(0x9A6BC9),
    new Color(0xD1497A),
    new Color(0x2A9DA5),
    new Color(0xB8901F),
    new Color(0x9C6B4E),
  };
  private static final Color LINES = new Color(128, 128, 128, 60);

  /** The colour of the nth series; they repeat after eight. */
  static Color colour(int n) {
    return COLOURS[Math.floorMod(n, COLOURS.length)];
  }

  static Color faint(Color c) {
    return new Color(c.getRed(), c.getGreen(), c.getBlue(), 70);
  }

  static Stroke line(float width) {
    return new BasicStroke(width, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND);
  }

  static Shape dot(double size) {
    return new Ellipse2D.Double(-size / 2, -size / 2, size, size);
  }

  static Font font(int style, int size) {
    return new Font(Font.SANS_SERIF, style, size);
  }

  JFreeChart chart(String title, Plot plot) {
    plot.setBackgroundPaint(null);
    plot.setOutlineVisible(false);
    plot.setInsets(new RectangleInsets(4, 4, 4, 12));
    JFreeChart chart = new JFreeChart(null, null, plot, true);
    chart.setBackgroundPaint(ground);
    chart.setPadding(new RectangleInsets(6, 6, 4, 6));
    if (!title.isEmpty()) {
      TextTitle head = new TextTitle(title, font(Font.BOLD, 15));
      head.setPaint(ink);
      head.setHorizontalAlignment(HorizontalAlignment.LEFT);
      head.setPadding(0, 8, 4, 0);
      chart.setTitle(head);
    }
    LegendTitle legend = chart.getLegend();
    if (plot.getLegendItems().getItemCount() < 1) {
      chart.removeLegend();
    } else {
      legend.setFrame(BlockBorder.NONE);
      legend.setBackgroundPaint(null);
      legend.setItemPaint(ink);
      legend.setItemFont(font(Font.PLAIN, 13));
      legend.setPosition(RectangleEdge.BOTTOM);
    }
    return chart;
  }

  /** A plain or logarithmic axis of numbers; without zero where nothing is near it. */
  ValueAxis axis(String label, boolean log) {
    ValueAxis axis;
    if (log) {
      LogAxis l = new LogAxis(label);
      l.setNumberFormatOverride(new ShortNumbers());
      l.setMinorTickMarksVisible(false);
      axis = l;
    } else {
      NumberAxis n = new NumberAxis(label);
      n.setAutoRangeIncludesZero(false);
      axis = n;
    }
    axis.setUpperMargin(0.04);
    axis.setLowerMargin(0.04);
    style(axis);
    return axis;
  }

  void style(Axis axis) {
    axis.setLabelPaint(ink);
    axis.setLabelFont(font(Font.PLAIN, 13));
    axis.setTickLabelPaint(ink);
    axis.setTickLabelFont(font(Font.PLAIN, 12));
    axis.setAxisLinePaint(LINES);
    axis.setTickMarkPaint(LINES);
  }

  void grid(XYPlot plot) {
    plot.setDomainGridlinePaint(LINES);
    plot.setRangeGridlinePaint(LINES);
    plot.setDomainGridlineStroke(line(1));
    plot.setRangeGridlineStroke(line(1));
  }

  void grid(CategoryPlot plot) {
    plot.setRangeGridlinePaint(LINES);
    plot.setRangeGridlineStroke(line(1));
  }
}
