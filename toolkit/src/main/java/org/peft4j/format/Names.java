package org.peft4j.format;

import java.util.Comparator;
import java.util.List;

/** What to say when a file has no tensor of the name that was asked for. */
final class Names {
  private static final int SHOWN = 5;

  private Names() {}

  static IllegalArgumentException missing(TensorSource source, String name) {
    List<String> nearest =
        source.names().stream()
            .sorted(Comparator.comparingInt((String n) -> -likeness(n, name)))
            .limit(SHOWN)
            .map(Malformed::quote)
            .toList();
    return Malformed.of(
        source.origin(),
        "no such tensor",
        Malformed.quote(name),
        source.names().size() + " others, nearest: " + String.join(", ", nearest),
        null);
  }

  /** Characters that two names share at their ends: paths differ in a prefix or in a suffix. */
  private static int likeness(String a, String b) {
    int most = Math.min(a.length(), b.length());
    int head = 0;
    while (head < most && a.charAt(head) == b.charAt(head)) {
      head++;
    }
    int tail = 0;
    while (tail < most - head
        && a.charAt(a.length() - 1 - tail) == b.charAt(b.length() - 1 - tail)) {
      tail++;
    }
    return head + tail;
  }
}
