package org.peft4j.text.jinja;

import java.time.LocalDateTime;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** A template, read and ready to be rendered; safe for use by several threads. */
public final class Template {
  private static final int LARGEST = 4 << 20;

  private final String name;
  private final String source;
  private final Statement.Body body;
  private final long budget;

  private Template(String name, String source, Statement.Body body, long budget) {
    this.name = name;
    this.source = source;
    this.body = body;
    this.budget = budget;
  }

  /**
   * Reads a template.
   *
   * @param name what error messages call it
   * @throws TemplateException for a syntax error or what is not supported, with its line
   */
  public static Template parse(String source, String name) {
    return parse(source, name, Budget.USUAL);
  }

  static Template parse(String source, String name, long budget) {
    String normalized = Lexer.normalize(source);
    try {
      if (source.length() > LARGEST) {
        throw TemplateException.of("a template of %,d characters", source.length());
      }
      Statement.Body body = StatementParser.parse(Lexer.tokens(normalized));
      return new Template(name, normalized, body, budget);
    } catch (StackOverflowError e) {
      throw TemplateException.of("nested too deep").on(1).in(name, normalized);
    } catch (TemplateException e) {
      throw e.on(1).in(name, normalized);
    }
  }

  /**
   * The text for these values: strings, numbers, booleans, null, lists and maps of these.
   *
   * @throws TemplateException when the template refuses them, or does what has no meaning
   */
  public String render(Map<String, ? extends @Nullable Object> values) {
    Run run = new Run(new Budget(budget), LocalDateTime::now);
    StringBuilder out = new StringBuilder();
    try {
      Scope globals = Scope.outermost(run);
      Globals.define(globals);
      Scope scope = globals.inner();
      values.forEach((key, value) -> scope.set(key, Types.of(value)));
      body.run(scope, out);
      return out.toString();
    } catch (TemplateException e) {
      throw e.on(run.line()).in(name, source);
    } catch (StackOverflowError e) {
      throw TemplateException.of("values nested too deep").on(run.line()).in(name, source);
    }
  }

  @Override
  public String toString() {
    return "%s: %,d characters".formatted(name, source.length());
  }
}
