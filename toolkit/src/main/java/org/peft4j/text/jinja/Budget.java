package org.peft4j.text.jinja;

/**
 * What one rendering may spend: 1 for a step, 1 for a char made or looked at, 8 for an element of a
 * list. A template from a stranger then ends, with bounded memory, whatever it says.
 */
final class Budget {
  static final long USUAL = 100_000_000;
  private static final int DEEPEST = 150;

  private final long limit;
  private long left;
  private int depth;

  Budget(long limit) {
    this.limit = limit;
    this.left = limit;
  }

  void step() {
    spend(1);
  }

  /** Pays before the work is done. */
  void spend(long amount) {
    left -= amount;
    if (amount < 0 || left < 0) {
      throw TemplateException.of(
          "the template does too much: more than %,d steps and characters", limit);
    }
  }

  /** Entering a macro or a recursive loop. */
  void enter() {
    if (++depth > DEEPEST) {
      throw TemplateException.of("macros call each other more than %d deep", DEEPEST);
    }
  }

  void leave() {
    depth--;
  }
}
