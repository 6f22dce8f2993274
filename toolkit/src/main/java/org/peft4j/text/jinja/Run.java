package org.peft4j.text.jinja;

import java.time.LocalDateTime;
import java.util.function.Supplier;

/** One rendering: what it may spend, which line it is at, what time it is. */
final class Run {
  private final Budget budget;
  private final Supplier<LocalDateTime> clock;
  private int line = 1;

  Run(Budget budget, Supplier<LocalDateTime> clock) {
    this.budget = budget;
    this.clock = clock;
  }

  Budget budget() {
    return budget;
  }

  LocalDateTime now() {
    return clock.get();
  }

  int line() {
    return line;
  }

  void at(int where) {
    line = where;
    budget.step();
  }

  /** Text that is made of parts, paid for. */
  String paid(String made) {
    budget.spend(made.length());
    return made;
  }
}
