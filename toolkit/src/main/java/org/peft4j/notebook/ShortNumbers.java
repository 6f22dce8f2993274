package org.peft4j.notebook;

import java.text.FieldPosition;
import java.text.NumberFormat;
import java.text.ParsePosition;
import java.util.Locale;

/** {@code 1, 20, 5K, 22.6M}: numbers on logarithmic axes. */
final class ShortNumbers extends NumberFormat {
  private static final long serialVersionUID = 1;

  static String of(double x) {
    double size = Math.abs(x);
    return size >= 1e9
        ? tidy(x / 1e9) + "G"
        : size >= 1e6 ? tidy(x / 1e6) + "M" : size >= 1e3 ? tidy(x / 1e3) + "K" : tidy(x);
  }

  private static String tidy(double x) {
    if (x == Math.rint(x)) {
      return String.format(Locale.ROOT, "%.0f", x);
    }
    return Math.abs(x) >= 0.01
        ? String.format(Locale.ROOT, "%.3g", x).replaceAll("\\.?0+$", "")
        : String.format(Locale.ROOT, "%.0e", x);
  }

  @Override
  public StringBuffer format(double x, StringBuffer to, FieldPosition position) {
    return to.append(of(x));
  }

  @Override
  public StringBuffer format(long x, StringBuffer to, FieldPosition position) {
    return to.append(of(x));
  }

  @Override
  public Number parse(String source, ParsePosition position) {
    throw new UnsupportedOperationException("numbers are written only");
  }
}
