package org.peft4j.text.jinja;

import org.jspecify.annotations.Nullable;

/**
 * What a name without a value stands for: prints as nothing, is false and has no elements; all else
 * is an error.
 *
 * @param why what the error says
 */
record Undefined(String why) {
  static Undefined name(String name) {
    return new Undefined("'" + name + "' is undefined");
  }

  static Undefined attribute(@Nullable Object of, String name) {
    String type = Types.nameOf(of);
    return new Undefined(
        "'" + type + (type.equals("None") ? "'" : " object'") + " has no attribute '" + name + "'");
  }

  TemplateException error() {
    return TemplateException.of("%s", why);
  }

  /** The value, which must not be undefined. */
  static @Nullable Object refuse(@Nullable Object value) {
    if (value instanceof Undefined undefined) {
      throw undefined.error();
    }
    return value;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Undefined;
  }

  @Override
  public int hashCode() {
    return 1;
  }
}
