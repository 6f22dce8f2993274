package org.peft4j.text.jinja;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** {@code {% for target in items if condition recursive %} ... {% else %} ... {% endfor %}}. */
record For(
    Target target,
    Expression items,
    @Nullable Expression condition,
    boolean recursive,
    Statement.Body body,
    Statement.@Nullable Body otherwise)
    implements Statement {
  @Override
  public Flow run(Scope scope, StringBuilder out) {
    return run(scope, items.value(scope), 0, out);
  }

  Flow run(Scope scope, @Nullable Object given, int depth, StringBuilder out) {
    List<Object> all = chosen(scope, given);
    Loop loop = new Loop(all, depth, recursive ? this : null, scope);
    boolean completed = false;
    for (Object item : all) {
      scope.run().budget().step();
      Scope turn = scope.inner();
      turn.set("loop", loop);
      target.assign(turn, item);
      Flow flow = body.run(turn, out);
      if (flow == Flow.BREAK) {
        break;
      }
      completed |= flow == Flow.NEXT;
      loop.advance();
    }
    // Jinja's else is for loops of which no turn came to its end, not for empty ones only
    return completed || otherwise == null ? Flow.NEXT : otherwise.run(scope.inner(), out);
  }

  private List<Object> chosen(Scope scope, @Nullable Object given) {
    List<Object> all = Sequences.list(scope.budget(), given);
    if (condition == null) {
      return all;
    }
    List<Object> out = new ArrayList<>();
    for (Object item : all) {
      Scope turn = scope.inner();
      turn.set("loop", Undefined.name("loop")); // the condition cannot know of a loop it makes
      target.assign(turn, item);
      if (Types.truth(condition.value(turn))) {
        scope.budget().spend(8);
        out.add(item);
      }
    }
    return out;
  }
}
