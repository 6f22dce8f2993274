package org.peft4j.text.jinja;

import org.jspecify.annotations.Nullable;

/** A value with parentheses after it: a global function, a macro, a method of a value. */
interface Callable {
  @Nullable Object call(Run run, Arguments arguments);
}
