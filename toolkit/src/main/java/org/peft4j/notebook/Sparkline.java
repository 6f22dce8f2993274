package org.peft4j.notebook;

import java.util.List;
import java.util.Locale;
import org.peft4j.train.RunListener;

/** The smoothed losses of a run as a small curve in the colour of the text. */
final class Sparkline {
  private static final int WIDTH = 260;
  private static final int HEIGHT = 44;

  private Sparkline() {}

  static String of(List<RunListener.Step> steps) {
    double[] y = LossCurve.of(steps).smooth();
    if (y.length < 2) {
      return "";
    }
    double low = Double.MAX_VALUE;
    double high = -Double.MAX_VALUE;
    for (double v : y) {
      low = Math.min(low, v);
      high = Math.max(high, v);
    }
    StringBuilder points = new StringBuilder();
    for (int i = 0; i < y.length; i++) {
      double height = high > low ? (y[i] - low) / (high - low) : 0;
      points.append(
          String.format(
              Locale.ROOT,
              "%.1f,%.1f ",
              2 + i * (WIDTH - 4.0) / (y.length - 1),
              2 + (1 - height) * (HEIGHT - 4)));
    }
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\""
        + WIDTH
        + "\" height=\""
        + HEIGHT
        + "\"><polyline fill=\"none\" stroke=\"#3b82c4\" stroke-width=\"2\""
        + " stroke-linejoin=\"round\" points=\""
        + points.toString().strip()
        + "\"/></svg>";
  }
}
