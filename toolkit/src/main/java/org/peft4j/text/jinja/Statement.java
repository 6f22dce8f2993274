package org.peft4j.text.jinja;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Something that a template does. */
interface Statement {
  /** How a loop's turn goes on. */
  enum Flow {
    NEXT,
    BREAK,
    CONTINUE
  }

  Flow run(Scope scope, StringBuilder out);

  /** One after another, each at its line. */
  record Body(List<Statement> statements, List<Integer> lines) implements Statement {
    @Override
    public Flow run(Scope scope, StringBuilder out) {
      for (int i = 0; i < statements.size(); i++) {
        scope.run().at(lines.get(i));
        Flow flow = statements.get(i).run(scope, out);
        if (flow != Flow.NEXT) {
          return flow;
        }
      }
      return Flow.NEXT;
    }

    /** What it prints, as a value. */
    String text(Scope scope) {
      StringBuilder out = new StringBuilder();
      run(scope, out);
      return out.toString();
    }
  }

  /** Text outside of tags. */
  record Data(String text) implements Statement {
    @Override
    public Flow run(Scope scope, StringBuilder out) {
      out.append(scope.run().paid(text));
      return Flow.NEXT;
    }
  }

  /** {@code {{ value }}}. */
  record Print(Expression value) implements Statement {
    @Override
    public Flow run(Scope scope, StringBuilder out) {
      out.append(scope.run().paid(Text.str(scope.budget(), value.value(scope))));
      return Flow.NEXT;
    }
  }

  /** {@code {% if %} ... {% elif %} ... {% else %} ... {% endif %}}. */
  record If(Expression condition, Body then, @Nullable Statement otherwise) implements Statement {
    @Override
    public Flow run(Scope scope, StringBuilder out) {
      if (Types.truth(condition.value(scope))) {
        return then.run(scope, out);
      }
      return otherwise == null ? Flow.NEXT : otherwise.run(scope, out);
    }
  }

  /** {@code {% break %}}, {@code {% continue %}}. */
  record Jump(Flow flow) implements Statement {
    @Override
    public Flow run(Scope scope, StringBuilder out) {
      return flow;
    }
  }

  /** {@code {% set target = value %}}. */
  record Set(Target target, Expression value) implements Statement {
    @Override
    public Flow run(Scope scope, StringBuilder out) {
      target.assign(scope, value.value(scope));
      return Flow.NEXT;
    }
  }

  /**
   * A block in a scope of its own whose text goes through {@code value}, then to {@code target}.
   */
  record Captured(Body body, String name, Expression value, @Nullable Target target)
      implements Statement {
    /** The name under which {@code value} finds the text; no template can say it. */
    static final String TEXT = "(text)";

    @Override
    public Flow run(Scope scope, StringBuilder out) {
      Scope inner = scope.inner();
      inner.set(name, body.text(inner));
      Object made = value.value(inner);
      if (target == null) {
        out.append(scope.run().paid(Text.str(scope.budget(), made)));
      } else {
        target.assign(scope, made);
      }
      return Flow.NEXT;
    }
  }

  /** {@code {% with a = 1 %} ... {% endwith %}}; the values know nothing of each other. */
  record With(List<Target> targets, List<Expression> values, Body body) implements Statement {
    @Override
    public Flow run(Scope scope, StringBuilder out) {
      Scope inner = scope.inner();
      for (int i = 0; i < targets.size(); i++) {
        targets.get(i).assign(inner, values.get(i).value(scope));
      }
      return body.run(inner, out);
    }
  }
}
