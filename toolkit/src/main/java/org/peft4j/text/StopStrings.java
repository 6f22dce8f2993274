package org.peft4j.text;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Text on its way to a reader, which ends before the first of some strings. What may still become
 * one of them waits.
 */
final class StopStrings {
  private final List<String> stops;
  private final StringBuilder waiting = new StringBuilder();
  private @Nullable String found;

  StopStrings(List<String> stops) {
    if (stops.contains("")) {
      throw new IllegalArgumentException(
          "an empty stop string\nexpected: at least one character\nfound: " + stops);
    }
    this.stops = List.copyOf(stops);
  }

  /** What of the text, and of what waited, can be shown now. */
  String add(String text) {
    if (found != null) {
      return "";
    }
    waiting.append(text);
    int end = Integer.MAX_VALUE; // of the stop string that is complete first; the longest of these
    for (String stop : stops) {
      int at = waiting.indexOf(stop);
      int behind = at + stop.length();
      if (at >= 0
          && (behind < end || (behind == end && found != null && stop.length() > found.length()))) {
        end = behind;
        found = stop;
      }
    }
    return take(found == null ? waiting.length() - waits() : end - found.length());
  }

  /** What waited, when no more text comes. */
  String finish() {
    return found == null ? take(waiting.length()) : "";
  }

  /** The stop string that ended the text, or null. */
  @Nullable String found() {
    return found;
  }

  private String take(int end) {
    String out = waiting.substring(0, end);
    waiting.delete(0, found == null ? end : waiting.length());
    return out;
  }

  /** Length of the longest end of the text with which a stop string begins. */
  private int waits() {
    int longest = 0;
    for (String stop : stops) {
      for (int n = Math.min(stop.length() - 1, waiting.length()); n > longest; n--) {
        if (stop.startsWith(waiting.substring(waiting.length() - n))) {
          longest = n;
        }
      }
    }
    return longest;
  }
}
