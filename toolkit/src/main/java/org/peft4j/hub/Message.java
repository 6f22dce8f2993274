package org.peft4j.hub;

import org.jspecify.annotations.Nullable;

/** Errors in the form that all of this project's have. */
final class Message {
  private Message() {}

  static String of(Object where, String what, String expected, Object found, @Nullable String fix) {
    return where
        + ": "
        + what
        + "\nexpected: "
        + expected
        + "\nfound: "
        + found
        + (fix == null ? "" : "\nfix: " + fix);
  }

  /** What a server said, on one line and cut to length. */
  static String quote(String said) {
    String line = said.replaceAll("\\p{Cntrl}+", " ").strip();
    return line.length() <= 300 ? line : line.substring(0, 300) + "...";
  }
}
