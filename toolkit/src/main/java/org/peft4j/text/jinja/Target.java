package org.peft4j.text.jinja;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a value is given to: a name, an attribute of a namespace, or several of these. */
interface Target {
  void assign(Scope scope, @Nullable Object value);

  /** {@code name}. */
  record Name(String name) implements Target {
    @Override
    public void assign(Scope scope, @Nullable Object value) {
      scope.set(name, value);
    }
  }

  /** {@code space.name}. */
  record Attribute(String space, String name) implements Target {
    @Override
    public void assign(Scope scope, @Nullable Object value) {
      if (!(scope.get(space) instanceof Namespace namespace)) {
        throw TemplateException.of("cannot assign attribute on non-namespace object");
      }
      scope.budget().spend(8);
      namespace.attributes().put(name, value);
    }
  }

  /** {@code a, b}. */
  record Several(List<Target> targets) implements Target {
    @Override
    public void assign(Scope scope, @Nullable Object value) {
      List<Object> values = Sequences.list(scope.budget(), value);
      if (values.size() != targets.size()) {
        throw TemplateException.of(
            "%s values to unpack (expected %d, got %d)",
            values.size() > targets.size() ? "too many" : "not enough",
            targets.size(),
            values.size());
      }
      for (int i = 0; i < targets.size(); i++) {
        targets.get(i).assign(scope, values.get(i));
      }
    }
  }
}
