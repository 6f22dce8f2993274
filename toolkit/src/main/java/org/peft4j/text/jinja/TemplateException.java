package org.peft4j.text.jinja;

/**
 * A template that cannot be read or rendered, or that refused its input by {@code raise_exception}.
 */
public final class TemplateException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  private final String reason;
  private final int line;
  private final boolean raised;
  private final boolean placed;

  private TemplateException(
      String message, String reason, int line, boolean raised, boolean placed) {
    super(message);
    this.reason = reason;
    this.line = line;
    this.raised = raised;
    this.placed = placed;
  }

  /** Something that Python would refuse too; the line is not known yet. */
  @SuppressWarnings("AnnotateFormatMethod") // its annotation would be one more dependency
  static TemplateException of(String reason, Object... values) {
    String text = values.length == 0 ? reason : reason.formatted(values);
    return new TemplateException(text, text, 0, false, false);
  }

  /** What the template says by {@code raise_exception(reason)}. */
  static TemplateException raised(String reason) {
    return new TemplateException(reason, reason, 0, true, false);
  }

  /** The same with its line; the first one known stays. */
  TemplateException on(int where) {
    return line > 0 ? this : traced(new TemplateException(reason, reason, where, raised, false));
  }

  /** The same with a message for the user: which template, where, what stands there. */
  TemplateException in(String template, String source) {
    if (placed) {
      return this;
    }
    String text = source.lines().skip(Math.max(0, line - 1L)).findFirst().orElse("").strip();
    String message =
        raised
            ? "%s: the template refuses these messages\nfound: %s\nline: %d"
                .formatted(template, reason, line)
            : "%s: %s\nline %d: %s"
                .formatted(
                    template,
                    reason,
                    line,
                    text.length() > 160 ? text.substring(0, 160) + "..." : text);
    return traced(new TemplateException(message, reason, line, raised, true));
  }

  private TemplateException traced(TemplateException copy) {
    copy.setStackTrace(getStackTrace());
    return copy;
  }

  /** What is wrong, without the place. */
  public String reason() {
    return reason;
  }

  /** The line of the template, from 1. */
  public int line() {
    return line;
  }

  /** Whether the template itself raised it. */
  public boolean isRaised() {
    return raised;
  }
}
