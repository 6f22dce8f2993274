package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code {% macro name(parameters) %} ... {% endmacro %}}; its value is the text it prints. */
record Macro(
    String name,
    List<String> parameters,
    List<@Nullable Expression> defaults,
    Statement.Body body,
    boolean takesMore,
    boolean takesCaller)
    implements Statement {
  @Override
  public Flow run(Scope scope, StringBuilder out) {
    scope.set(name, in(scope));
    return Flow.NEXT;
  }

  /** The macro where it is defined: it sees the names of that place, as they are when called. */
  Callable in(Scope scope) {
    return new Defined(this, scope);
  }

  private record Defined(Macro macro, Scope scope) implements Callable, Members.Attributes {
    @Override
    public Object call(Run run, Arguments given) {
      Scope inner = scope.inner();
      Map<String, Object> named = new LinkedHashMap<>(given.named());
      List<Object> positional = given.positional();
      int count = macro.parameters.size();
      for (int i = 0; i < count; i++) {
        String parameter = macro.parameters.get(i);
        if (i < positional.size()) {
          inner.set(parameter, positional.get(i));
        } else if (named.containsKey(parameter)) {
          inner.set(parameter, named.remove(parameter));
        } else {
          Expression otherwise = macro.defaults.get(i);
          inner.set(
              parameter,
              otherwise == null
                  ? new Undefined("parameter '" + parameter + "' was not provided")
                  : otherwise.value(inner));
        }
      }
      if (macro.takesCaller) {
        Object caller = named.remove("caller");
        inner.set("caller", caller == null ? new Undefined("No caller defined") : caller);
      }
      rest(inner, positional.subList(Math.min(count, positional.size()), positional.size()), named);
      run.budget().enter();
      int line = run.line();
      String text = macro.body.text(inner);
      run.at(line);
      run.budget().leave();
      return text;
    }

    private void rest(Scope inner, List<Object> positional, Map<String, Object> named) {
      if (macro.takesMore) {
        inner.set("varargs", new Tuple(new ArrayList<>(positional)));
        inner.set("kwargs", named);
      } else if (!positional.isEmpty()) {
        throw TemplateException.of(
            "macro '%s' takes not more than %d argument(s)", macro.name, macro.parameters.size());
      } else if (!named.isEmpty()) {
        throw TemplateException.of(
            "macro '%s' takes no keyword argument '%s'",
            macro.name, named.keySet().iterator().next());
      }
    }

    @Override
    public @Nullable Object attribute(String attribute) {
      return switch (attribute) {
        case "name" -> macro.name;
        case "arguments" -> new Tuple(new ArrayList<>(macro.parameters));
        default -> Undefined.attribute(this, attribute);
      };
    }

    @Override
    public String toString() {
      return "<Macro '" + macro.name + "'>";
    }
  }

  /** {@code {% call(parameters) callee(arguments) %} ... {% endcall %}}. */
  record CallBlock(Macro caller, Call callee) implements Statement {
    @Override
    public Flow run(Scope scope, StringBuilder out) {
      Arguments given = callee.given().values(scope);
      Map<String, Object> named = new LinkedHashMap<>(given.named());
      named.put("caller", caller.in(scope));
      Object value =
          Call.call(
              scope.run(), callee.of().value(scope), new Arguments(given.positional(), named));
      out.append(scope.run().paid(Text.str(scope.budget(), value)));
      return Flow.NEXT;
    }
  }
}
