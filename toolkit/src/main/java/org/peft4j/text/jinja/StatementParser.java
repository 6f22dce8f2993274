package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Tags and the text between them. */
final class StatementParser {
  private static final Set<String> UNSUPPORTED =
      Set.of("extends", "include", "import", "from", "block", "autoescape");

  private final Cursor cursor;
  private final ExpressionParser expressions;
  private int loops;

  StatementParser(List<Token> tokens) {
    this.cursor = new Cursor(tokens);
    this.expressions = new ExpressionParser(cursor);
  }

  /** The whole template. */
  static Statement.Body parse(List<Token> tokens) {
    StatementParser parser = new StatementParser(tokens);
    try {
      return parser.body("template");
    } catch (TemplateException e) {
      throw e.on(parser.cursor.peek().line());
    }
  }

  /** Statements up to one of the tags named, whose name is taken; or to the end of the template. */
  private Statement.Body body(String inside, String... ends) {
    cursor.enter();
    List<Statement> statements = new ArrayList<>();
    List<Integer> lines = new ArrayList<>();
    while (!cursor.peek().is(Token.Kind.END)) {
      Token token = cursor.next();
      int line = token.line();
      if (token.is(Token.Kind.BLOCK_BEGIN) && List.of(ends).contains(cursor.peek().text())) {
        cursor.leave();
        return new Statement.Body(statements, lines);
      }
      statements.add(
          switch (token.kind()) {
            case DATA -> new Statement.Data(token.text());
            case PRINT_BEGIN -> print();
            default -> tag();
          });
      lines.add(line);
    }
    if (ends.length > 0) {
      throw TemplateException.of(
          "the template ends inside '%s'; expected {%% %s %%}", inside, ends[ends.length - 1]);
    }
    cursor.leave();
    return new Statement.Body(statements, lines);
  }

  private Statement print() {
    Expression value = expressions.tuple(true);
    cursor.expect(Token.Kind.PRINT_END);
    return new Statement.Print(value);
  }

  private Statement tag() {
    String name = cursor.name();
    return switch (name) {
      case "if" -> branch();
      case "for" -> loop();
      case "set" -> set();
      case "macro" -> macro();
      case "call" -> callBlock();
      case "filter" -> filterBlock();
      case "with" -> with();
      case "generation" -> generation();
      case "break", "continue" -> jump(name);
      case "print" -> {
        Statement print = new Statement.Print(expressions.tuple(true));
        endTag();
        yield print;
      }
      default ->
          throw TemplateException.of(
              UNSUPPORTED.contains(name)
                  ? "the tag '%s' is not supported in chat templates"
                  : "Encountered unknown tag '%s'.",
              name);
    };
  }

  private void endTag() {
    cursor.expect(Token.Kind.BLOCK_END);
  }

  /** The body of a tag with one end. */
  private Statement.Body block(String inside) {
    endTag();
    int outside = loops;
    if (!inside.equals("for")) {
      loops = inside.equals("with") ? loops : 0;
    }
    Statement.Body body = body(inside, "end" + inside);
    loops = outside;
    cursor.next();
    endTag();
    return body;
  }

  private Statement branch() {
    Expression condition = expressions.tuple(false);
    endTag();
    Statement.Body then = body("if", "elif", "else", "endif");
    String end = cursor.next().text();
    if (end.equals("elif")) {
      cursor.enter();
      Statement otherwise = branch();
      cursor.leave();
      return new Statement.If(condition, then, otherwise);
    }
    endTag();
    Statement.Body otherwise = null;
    if (end.equals("else")) {
      otherwise = body("if", "endif");
      cursor.next();
      endTag();
    }
    return new Statement.If(condition, then, otherwise);
  }

  private Statement loop() {
    Target target = targets("in");
    cursor.expectName("in");
    Expression items = expressions.tuple(false);
    Expression condition = cursor.skipName("if") ? expressions.expression() : null;
    boolean recursive = cursor.skipName("recursive");
    endTag();
    loops++;
    Statement.Body body = body("for", "endfor", "else");
    loops--;
    Statement.Body otherwise = null;
    if (cursor.next().text().equals("else")) {
      endTag();
      otherwise = body("for", "endfor");
      cursor.next();
    }
    endTag();
    return new For(target, items, condition, recursive, body, otherwise);
  }

  private Statement jump(String name) {
    if (loops == 0) {
      throw TemplateException.of("'%s' outside of a loop", name);
    }
    endTag();
    return new Statement.Jump(
        name.equals("break") ? Statement.Flow.BREAK : Statement.Flow.CONTINUE);
  }

  private Statement set() {
    Target target = targets("=");
    if (cursor.skipOperator("=")) {
      Expression value = expressions.tuple(true);
      endTag();
      return new Statement.Set(target, value);
    }
    Expression text = new Expression.Name(Statement.Captured.TEXT);
    Expression value = expressions.filters(text);
    return new Statement.Captured(block("set"), Statement.Captured.TEXT, value, target);
  }

  private Statement filterBlock() {
    Expression text = new Expression.Name(Statement.Captured.TEXT);
    Expression value = expressions.filters(expressions.filter(text));
    return new Statement.Captured(block("filter"), Statement.Captured.TEXT, value, null);
  }

  /** Marks what an assistant says, for masks over tokens; prints like any text. */
  private Statement generation() {
    Expression text = new Expression.Name(Statement.Captured.TEXT);
    return new Statement.Captured(block("generation"), Statement.Captured.TEXT, text, null);
  }

  private Statement with() {
    List<Target> targets = new ArrayList<>();
    List<Expression> values = new ArrayList<>();
    while (!cursor.peek().is(Token.Kind.BLOCK_END)) {
      if (!targets.isEmpty()) {
        cursor.expectOperator(",");
      }
      targets.add(target());
      cursor.expectOperator("=");
      values.add(expressions.expression());
    }
    return new Statement.With(targets, values, block("with"));
  }

  private Statement macro() {
    String name = cursor.name();
    List<String> parameters = new ArrayList<>();
    List<@Nullable Expression> defaults = new ArrayList<>();
    parameters(parameters, defaults);
    return macroBody(name, parameters, defaults, "macro");
  }

  /** As in Jinja, a macro takes more arguments than it names only where its body reads them. */
  private Macro macroBody(
      String name, List<String> parameters, List<@Nullable Expression> defaults, String tag) {
    int from = expressions.mentioned().size();
    Statement.Body body = block(tag);
    List<String> names = expressions.mentioned();
    List<String> read = names.subList(from, names.size());
    boolean takesMore = read.contains("varargs") || read.contains("kwargs");
    return new Macro(name, parameters, defaults, body, takesMore, read.contains("caller"));
  }

  private void parameters(List<String> parameters, List<@Nullable Expression> defaults) {
    cursor.expectOperator("(");
    while (!cursor.peek().isOperator(")")) {
      if (!parameters.isEmpty()) {
        cursor.expectOperator(",");
      }
      parameters.add(cursor.name());
      defaults.add(cursor.skipOperator("=") ? expressions.expression() : null);
    }
    cursor.expectOperator(")");
  }

  private Statement callBlock() {
    List<String> parameters = new ArrayList<>();
    List<@Nullable Expression> defaults = new ArrayList<>();
    if (cursor.peek().isOperator("(")) {
      parameters(parameters, defaults);
    }
    if (!(expressions.expression() instanceof Call callee)) {
      throw TemplateException.of("expected call");
    }
    Macro caller = macroBody("caller", parameters, defaults, "call");
    return new Macro.CallBlock(caller, callee);
  }

  /** One target, or several with commas between, before {@code end}. */
  private Target targets(String end) {
    List<Target> all = new ArrayList<>();
    boolean commas = false;
    do {
      if (!all.isEmpty() && cursor.peek().text().equals(end)) {
        break;
      }
      all.add(target());
      commas |= cursor.peek().isOperator(",");
    } while (cursor.skipOperator(","));
    return commas ? new Target.Several(all) : all.get(0);
  }

  private Target target() {
    if (cursor.skipOperator("(")) {
      cursor.enter();
      Target inside = targets(")");
      cursor.leave();
      cursor.expectOperator(")");
      return inside;
    }
    String name = cursor.name();
    if (Set.of("true", "false", "none", "True", "False", "None").contains(name)) {
      throw TemplateException.of("can't assign to '%s'", name);
    }
    return cursor.skipOperator(".")
        ? new Target.Attribute(name, cursor.name())
        : new Target.Name(name);
  }
}
