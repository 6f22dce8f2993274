package org.peft4j.hub;

import java.util.Locale;

/** Numbers of bytes for people, in powers of 1000. */
public final class Size {
  private static final String[] UNITS = {"B", "kB", "MB", "GB", "TB"};

  private Size() {}

  /** Such as {@code 83.4 MB}. */
  public static String text(long bytes) {
    double n = bytes;
    int unit = 0;
    while (n >= 1000 && unit < UNITS.length - 1) {
      n /= 1000;
      unit++;
    }
    return unit == 0
        ? bytes + " B"
        : String.format(
            Locale.ROOT, n < 10 ? "%.2f %s" : n < 100 ? "%.1f %s" : "%.0f %s", n, UNITS[unit]);
  }
}
