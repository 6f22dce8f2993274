package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.List;

/** Python's {@code range}, at most 100,000 numbers as in Jinja's sandbox. */
record Range(long start, long stop, long step) {
  private static final long LARGEST = 100_000;

  Range {
    if (step == 0) {
      throw TemplateException.of("range() arg 3 must not be zero");
    }
    if (size(start, stop, step) > LARGEST) {
      throw TemplateException.of("range of more than %,d numbers", LARGEST);
    }
  }

  private static long size(long start, long stop, long step) {
    double steps = Math.ceil(((double) stop - start) / step);
    return steps <= 0 ? 0 : (long) Math.min(steps, Long.MAX_VALUE);
  }

  long size() {
    return size(start, stop, step);
  }

  long at(long index) {
    return start + index * step;
  }

  List<Object> items(Budget budget) {
    budget.spend(8 * size());
    List<Object> out = new ArrayList<>();
    for (long i = 0; i < size(); i++) {
      out.add(at(i));
    }
    return out;
  }
}
