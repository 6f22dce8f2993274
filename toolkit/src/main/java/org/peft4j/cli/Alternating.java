package org.peft4j.cli;

import com.github.freva.asciitable.AsciiTable;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/**
 * Timings of things that run in turn, so that what else the machine does meets all of them. Each
 * round starts with another one, and all rest before their turn: the threads of ONNX Runtime go on
 * spinning for a while after a run, which costs whoever comes next.
 */
final class Alternating {
  private static final int WARM_UP = 2;
  private static final Duration REST = Duration.ofMillis(50);

  private final int runs;
  private final List<String[]> lines = new ArrayList<>();

  Alternating(int runs) {
    this.runs = runs;
  }

  /** Times each; ratios are to the first, medians of those of each round. */
  void time(String what, Map<String, Runnable> steps) {
    time(what, 1, steps);
  }

  /** The same for steps that follow each other in use: a turn is {@code together} of them. */
  void time(String what, int together, Map<String, Runnable> steps) {
    Map<String, Supplier<Runnable>> turns = new LinkedHashMap<>();
    steps.forEach((name, step) -> turns.put(name, () -> step));
    timeTurns(what, together, turns);
  }

  /** The same for turns that have something to prepare, which is not timed. */
  void timeTurns(String what, int together, Map<String, Supplier<Runnable>> turns) {
    Map<String, double[]> times = new LinkedHashMap<>();
    turns.keySet().forEach(name -> times.put(name, new double[runs]));
    List<Map.Entry<String, Supplier<Runnable>>> order = new ArrayList<>(turns.entrySet());
    for (int i = -WARM_UP; i < runs; i++) {
      Collections.rotate(order, 1);
      for (Map.Entry<String, Supplier<Runnable>> e : order) {
        Runnable turn = e.getValue().get();
        LockSupport.parkNanos(REST.toNanos());
        long start = System.nanoTime();
        for (int step = 0; step < together; step++) {
          turn.run();
        }
        double elapsed = (System.nanoTime() - start) / 1e6 / together;
        if (i >= 0) {
          Objects.requireNonNull(times.get(e.getKey()))[i] = elapsed;
        }
      }
    }
    double[] first = times.values().iterator().next();
    times.forEach(
        (name, ms) -> {
          double[] ratios = new double[runs];
          Arrays.setAll(ratios, i -> ms[i] / first[i]);
          add(
              what,
              name,
              String.format(Locale.ROOT, "%.2f ms", Median.of(ms)),
              ms == first ? "" : String.format(Locale.ROOT, "%.2f", Median.of(ratios)));
        });
  }

  /** A line of something else. */
  void add(String what, String which, String figure, String ratio) {
    lines.add(new String[] {what, which, figure, ratio});
  }

  /** The table. */
  @Override
  public String toString() {
    return AsciiTable.getTable(
        AsciiTable.NO_BORDERS,
        new String[] {"what", "graph", "figure", "ratio to the first"},
        null,
        lines.toArray(String[][]::new));
  }
}
