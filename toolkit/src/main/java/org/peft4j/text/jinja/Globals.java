package org.peft4j.text.jinja;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The functions every template has. */
final class Globals {
  private Globals() {}

  static void define(Scope scope) {
    function(scope, "raise_exception", Globals::raise);
    function(
        scope,
        "strftime_now",
        (run, a) ->
            run.paid(
                Strftime.format(
                    a.require("strftime_now", 1, "format").text(0, "format", ""), run.now())));
    function(scope, "range", Globals::range);
    function(scope, "namespace", (run, a) -> new Namespace(dictionary(run, "namespace", a)));
    function(scope, "dict", (run, a) -> dictionary(run, "dict", a));
    function(
        scope,
        "joiner",
        (run, a) -> new Joiner(a.require("joiner", 0, "sep").text(0, "sep", ", ")));
    function(scope, "cycler", (run, a) -> new Cycler(a.positional()));
  }

  private static void function(Scope scope, String name, Callable body) {
    scope.set(name, new Function(name, body));
  }

  private record Function(String name, Callable body) implements Callable {
    @Override
    public @Nullable Object call(Run run, Arguments arguments) {
      return body.call(run, arguments);
    }

    @Override
    public String toString() {
      return "<function " + name + ">";
    }
  }

  private static Object raise(Run run, Arguments a) {
    a.require("raise_exception", 1, "message");
    throw TemplateException.raised(Text.str(run.budget(), a.get(0, "message", null)));
  }

  private static Object range(Run run, Arguments a) {
    a.require("range", 1, "start", "stop", "step");
    long first = Numbers.index(Undefined.refuse(a.get(0, "start", null)), "range");
    if (!a.has(1, "stop")) {
      return new Range(0, first, 1);
    }
    return new Range(
        first, a.integer(1, "stop", 0), a.has(2, "step") ? a.integer(2, "step", 1) : 1);
  }

  private static Map<Object, Object> dictionary(Run run, String name, Arguments a) {
    if (a.positional().size() > 1) {
      throw TemplateException.of("%s takes at most 1 argument", name);
    }
    Map<Object, Object> out = new LinkedHashMap<>();
    Object from = a.positional().isEmpty() ? null : a.positional().get(0);
    if (from instanceof Map<?, ?> map) {
      run.budget().spend(16L * map.size());
      out.putAll(map);
    } else if (from != null) {
      for (Object pair : Sequences.list(run.budget(), from)) {
        List<Object> two = Sequences.list(run.budget(), pair);
        if (two.size() != 2) {
          throw TemplateException.of("%s needs pairs", name);
        }
        run.budget().spend(16);
        Maps.put(out, two.get(0), two.get(1));
      }
    }
    a.named().forEach(out::put);
    return out;
  }

  /** Gives nothing the first time, its separator after that. */
  private static final class Joiner implements Callable {
    private final String separator;
    private boolean used;

    Joiner(String separator) {
      this.separator = separator;
    }

    @Override
    public Object call(Run run, Arguments arguments) {
      String out = used ? separator : "";
      used = true;
      return out;
    }
  }

  /** Goes round through its values. */
  private static final class Cycler implements Members.Attributes {
    private final List<Object> values;
    private int at;

    Cycler(List<Object> values) {
      if (values.isEmpty()) {
        throw TemplateException.of("at least one item has to be provided");
      }
      this.values = values;
    }

    @Override
    public @Nullable Object attribute(String name) {
      return switch (name) {
        case "current" -> values.get(at);
        case "next" ->
            (Callable)
                (run, a) -> {
                  Object value = values.get(at);
                  at = (at + 1) % values.size();
                  return value;
                };
        case "reset" ->
            (Callable)
                (run, a) -> {
                  at = 0;
                  return null;
                };
        default -> Undefined.attribute(this, name);
      };
    }
  }
}
