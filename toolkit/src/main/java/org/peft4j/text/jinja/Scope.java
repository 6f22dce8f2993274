package org.peft4j.text.jinja;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Names and their values. What a loop's turn, a macro or a block with an end sets is gone after it;
 * {@code if} opens no scope.
 */
final class Scope {
  private final @Nullable Scope outer;
  private final Run run;
  private final Map<String, Object> values = new HashMap<>();

  private Scope(@Nullable Scope outer, Run run) {
    this.outer = outer;
    this.run = run;
  }

  static Scope outermost(Run run) {
    return new Scope(null, run);
  }

  Scope inner() {
    return new Scope(this, run);
  }

  Run run() {
    return run;
  }

  Budget budget() {
    return run.budget();
  }

  void set(String name, @Nullable Object value) {
    values.put(name, value);
  }

  @Nullable Object get(String name) {
    for (Scope scope = this; scope != null; scope = scope.outer) {
      Object value = scope.values.get(name);
      if (value != null || scope.values.containsKey(name)) {
        return value;
      }
    }
    return Undefined.name(name);
  }
}
