package org.peft4j.notebook;

/** Where content is shown while code runs: a notebook's page, a terminal, or nowhere. */
public interface Display {
  /** Shows content below what has been shown. */
  void show(Rich content);

  /**
   * Shows content that will change: the first call with an {@code id} shows it, later ones replace
   * it where it stands, where the front end can.
   */
  void update(String id, Rich content);

  /** Whether pictures and HTML are seen, so that drawing them is worth it. */
  boolean isRich();
}
