package org.peft4j.data;

import java.util.ArrayList;
import java.util.List;

/** What is wrong with a file, collected so that one exception tells all of it. */
final class Problems {
  private static final int MOST_SHOWN = 8;
  private static final int LONGEST = 160;

  private final String source;
  private final String expected;
  private final List<String> shown = new ArrayList<>();
  private int count;

  /**
   * @param source the file
   * @param expected what each line of it should be
   */
  Problems(Object source, String expected) {
    this.source = source.toString();
    this.expected = expected;
  }

  /** Notes what was found at a place such as a line number. */
  void add(Object place, String found) {
    count++;
    if (shown.size() < MOST_SHOWN) {
      shown.add(source + ":" + place + ": " + shorten(found));
    }
  }

  static String shorten(String text) {
    return text.length() <= LONGEST ? text : text.substring(0, LONGEST) + "...";
  }

  /** Throws if anything was noted. */
  void throwIfAny(String fix) {
    if (count > 0) {
      throw exception(fix);
    }
  }

  IllegalArgumentException exception(String fix) {
    String more = count > shown.size() ? "\nand %,d more".formatted(count - shown.size()) : "";
    return new IllegalArgumentException(
        String.join("\n", shown) + more + "\nexpected: " + expected + "\nfix: " + fix);
  }
}
