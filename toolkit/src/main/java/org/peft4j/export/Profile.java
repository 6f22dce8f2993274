package org.peft4j.export;

import java.util.Locale;

/** Which operators a graph is made of. */
public enum Profile {
  /** ONNX's own operators alone, in as low a version as they allow: any runtime can run it. */
  STANDARD,
  /**
   * ONNX Runtime's operators ({@code com.microsoft}) where it has faster ones. Its attention goes
   * on with several texts at a time one token after the other only; a single text may go on with
   * more.
   */
  ORT;

  /** By its name in lower case. */
  public static Profile of(String name) {
    for (Profile p : values()) {
      if (p.toString().equals(name)) {
        return p;
      }
    }
    throw new IllegalArgumentException(
        "profile\nexpected: standard or ort\nfound: \"" + name + "\"");
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
