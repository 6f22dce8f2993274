package org.peft4j.notebook;

import java.awt.Color;
import java.awt.Font;
import java.awt.geom.Rectangle2D;
import java.util.ArrayList;
import java.util.List;
import org.jfree.chart.annotations.XYTextAnnotation;
import org.jfree.chart.axis.LogAxis;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.plot.XYPlot;
import org.jfree.chart.ui.TextAnchor;

/**
 * Names beside points, each where it covers the fewest other names and points; of equal places the
 * nearest.
 */
final class PointLabels {
  private static final double LETTER = 6.6;
  private static final double LINE = 14;
  private static final double DOT = 8;
  private static final double[] ANGLES = {0, 180, 90, 270, 45, 315, 135, 225};
  private static final double[] DISTANCES = {8, 15, 24, 34};

  private record Point(double x, double y, String name) {}

  private final XYPlot plot;
  private final double width;
  private final double height;
  private final Color ink;
  private final List<Point> points = new ArrayList<>();

  /** For a chart of so many pixels, of which the axes and the title take their usual parts. */
  PointLabels(XYPlot plot, int width, int height, Color ink) {
    this.plot = plot;
    this.width = width - 90;
    this.height = height - 105;
    this.ink = ink;
  }

  void add(double x, double y, String name) {
    if (Double.isFinite(x) && Double.isFinite(y)) {
      points.add(new Point(x, y, name));
    }
  }

  void place() {
    ValueAxis ax = plot.getDomainAxis();
    ValueAxis ay = plot.getRangeAxis();
    List<Rectangle2D> taken = new ArrayList<>();
    for (Point p : points) {
      double x = pixels(ax, p.x, width);
      double y = height - pixels(ay, p.y, height);
      taken.add(new Rectangle2D.Double(x - DOT / 2, y - DOT / 2, DOT, DOT));
    }
    for (Point p : points) {
      if (!p.name.isEmpty()) {
        Rectangle2D box = best(pixels(ax, p.x, width), height - pixels(ay, p.y, height), p, taken);
        taken.add(box);
        annotate(ax, ay, p, box);
      }
    }
  }

  private Rectangle2D best(double x, double y, Point p, List<Rectangle2D> taken) {
    double w = LETTER * p.name.length();
    Rectangle2D best = new Rectangle2D.Double();
    double least = Double.MAX_VALUE;
    for (double distance : DISTANCES) {
      for (double angle : ANGLES) {
        double cos = Math.cos(Math.toRadians(angle));
        double sin = Math.sin(Math.toRadians(angle));
        double cx = x + cos * (distance + w / 2);
        double cy = y - sin * (distance + LINE / 4);
        Rectangle2D box = new Rectangle2D.Double(cx - w / 2, cy - LINE / 2, w, LINE);
        double cost = distance / 10;
        for (Rectangle2D other : taken) {
          Rectangle2D both = box.createIntersection(other);
          cost += both.getWidth() > 0 && both.getHeight() > 0 ? 5 + both.getWidth() : 0;
        }
        cost += Math.max(0, -box.getMinX()) + Math.max(0, box.getMaxX() - width);
        cost += Math.max(0, -box.getMinY()) + Math.max(0, box.getMaxY() - height);
        if (cost < least) {
          least = cost;
          best = box;
        }
      }
    }
    return best;
  }

  private void annotate(ValueAxis ax, ValueAxis ay, Point p, Rectangle2D box) {
    XYTextAnnotation text =
        new XYTextAnnotation(
            p.name,
            value(ax, box.getCenterX(), width),
            value(ay, height - box.getCenterY(), height));
    text.setFont(ChartLook.font(Font.PLAIN, 12));
    text.setPaint(ink);
    text.setTextAnchor(TextAnchor.CENTER);
    plot.addAnnotation(text, false);
  }

  private static double pixels(ValueAxis axis, double value, double length) {
    double lower = scaled(axis, axis.getLowerBound());
    double upper = scaled(axis, axis.getUpperBound());
    return (scaled(axis, value) - lower) / (upper - lower) * length;
  }

  private static double value(ValueAxis axis, double pixel, double length) {
    double lower = scaled(axis, axis.getLowerBound());
    double upper = scaled(axis, axis.getUpperBound());
    double at = lower + pixel / length * (upper - lower);
    return axis instanceof LogAxis ? Math.exp(at) : at;
  }

  private static double scaled(ValueAxis axis, double value) {
    return axis instanceof LogAxis ? Math.log(value) : value;
  }
}
