package org.peft4j.notebook;

import org.peft4j.tensor.CacheHome;

/** How much work the notebooks that come with the toolkit do. */
public final class Tutorial {
  private Tutorial() {}

  /**
   * {@code full}, unless {@code PEFT4J_TUTORIAL} (environment variable or system property) is
   * {@code small}: then {@code small}, which takes seconds and is for tests.
   *
   * @throws IllegalArgumentException when the setting is another word
   */
  public static int size(int full, int small) {
    String setting = CacheHome.setting("PEFT4J_TUTORIAL");
    if (setting == null || setting.equals("full")) {
      return full;
    }
    if (setting.equals("small")) {
      return small;
    }
    throw new IllegalArgumentException(
        "PEFT4J_TUTORIAL\nexpected: full or small\nfound: " + setting);
  }
}
