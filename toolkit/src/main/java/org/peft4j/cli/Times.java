package org.peft4j.cli;

import com.github.freva.asciitable.AsciiTable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Seconds of several things over several rounds; ratios are of medians, to the first. */
final class Times {
  private final Map<String, List<Double>> seconds = new LinkedHashMap<>();
  private final double bytes;

  /**
   * @param bytes that each run moves, for gigabytes per second
   */
  Times(double bytes) {
    this.bytes = bytes;
  }

  void add(String what, double... runs) {
    List<Double> all = seconds.computeIfAbsent(what, w -> new ArrayList<>());
    for (double s : runs) {
      all.add(s);
    }
  }

  double median(String what) {
    return Median.of(seconds.getOrDefault(what, List.of()).stream().mapToDouble(s -> s).toArray());
  }

  @Override
  public String toString() {
    String first = seconds.keySet().iterator().next();
    String[][] rows =
        seconds.keySet().stream()
            .map(
                what ->
                    new String[] {
                      what,
                      String.format(Locale.ROOT, "%.1f ms", 1e3 * median(what)),
                      String.format(Locale.ROOT, "%.2f GB/s", bytes / 1e9 / median(what)),
                      String.format(Locale.ROOT, "%.2f", median(what) / median(first))
                    })
            .toArray(String[][]::new);
    return AsciiTable.getTable(
        AsciiTable.NO_BORDERS,
        new String[] {"what", "median", "of the weights", "ratio to the first"},
        null,
        rows);
  }
}
