package org.peft4j.text.jinja;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** The variable {@code loop}. */
final class Loop implements Members.Attributes, Callable {
  private final List<Object> items;
  private final int depth;
  private final @Nullable For recursive;
  private final Scope scope;
  private int index;
  private @Nullable Object changed = new Undefined("no value before");

  Loop(List<Object> items, int depth, @Nullable For recursive, Scope scope) {
    this.items = items;
    this.depth = depth;
    this.recursive = recursive;
    this.scope = scope;
  }

  void advance() {
    index++;
  }

  @Override
  public @Nullable Object attribute(String name) {
    int size = items.size();
    return switch (name) {
      case "index" -> index + 1L;
      case "index0" -> (long) index;
      case "revindex" -> (long) size - index;
      case "revindex0" -> size - index - 1L;
      case "first" -> index == 0;
      case "last" -> index == size - 1;
      case "length" -> (long) size;
      case "depth" -> depth + 1L;
      case "depth0" -> (long) depth;
      case "previtem" ->
          index > 0 ? items.get(index - 1) : new Undefined("there is no previous item");
      case "nextitem" ->
          index + 1 < size ? items.get(index + 1) : new Undefined("there is no next item");
      case "cycle" -> (Callable) this::cycle;
      case "changed" -> (Callable) this::changed;
      default -> new Undefined("the loop has no attribute '" + name + "'");
    };
  }

  private @Nullable Object cycle(Run run, Arguments a) {
    if (a.positional().isEmpty()) {
      throw TemplateException.of("no items for cycling given");
    }
    return a.positional().get(index % a.positional().size());
  }

  private Object changed(Run run, Arguments a) {
    Tuple now = new Tuple(a.positional());
    boolean differs = !Equality.equal(run.budget(), changed, now);
    changed = now;
    return differs;
  }

  @Override
  public Object call(Run run, Arguments arguments) {
    if (recursive == null) {
      throw TemplateException.of(
          "The loop must have the 'recursive' marker to be called recursively.");
    }
    StringBuilder out = new StringBuilder();
    run.budget().enter();
    recursive.run(
        scope, arguments.require("loop", 1, "items").get(0, "items", null), depth + 1, out);
    run.budget().leave();
    return out.toString();
  }

  @Override
  public String toString() {
    return "<LoopContext " + (index + 1) + "/" + items.size() + ">";
  }
}
