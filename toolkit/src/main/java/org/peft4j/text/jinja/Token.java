package org.peft4j.text.jinja;

import org.jspecify.annotations.Nullable;

/**
 * A piece of a template.
 *
 * @param text of data the data, of a string its value, of the rest what stands in the template
 * @param value of a number its value
 */
record Token(Kind kind, String text, @Nullable Object value, int line) {
  /** What a piece is. */
  enum Kind {
    DATA,
    PRINT_BEGIN,
    PRINT_END,
    BLOCK_BEGIN,
    BLOCK_END,
    NAME,
    STRING,
    INTEGER,
    FLOAT,
    OPERATOR,
    END
  }

  boolean is(Kind wanted) {
    return kind == wanted;
  }

  boolean isOperator(String wanted) {
    return kind == Kind.OPERATOR && text.equals(wanted);
  }

  boolean isName(String wanted) {
    return kind == Kind.NAME && text.equals(wanted);
  }

  /** As error messages call it. */
  String describe() {
    return switch (kind) {
      case PRINT_END -> "the end of the print statement";
      case BLOCK_END -> "the end of the tag";
      case END, DATA, PRINT_BEGIN, BLOCK_BEGIN -> "the end of the template";
      case STRING -> "a string";
      default -> "'" + text + "'";
    };
  }
}
