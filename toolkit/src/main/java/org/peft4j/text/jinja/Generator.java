package org.peft4j.text.jinja;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * What filters such as {@code map} and {@code selectattr} give, as in Python: true even without
 * elements, without a length, read once.
 */
record Generator(Iterator<Object> iterator) {
  static Generator map(Iterator<Object> from, Function<Object, @Nullable Object> function) {
    return new Generator(
        new Iterator<>() {
          @Override
          public boolean hasNext() {
            return from.hasNext();
          }

          @Override
          public Object next() {
            return function.apply(from.next());
          }
        });
  }

  static Generator filter(Iterator<Object> from, Predicate<Object> keep) {
    return new Generator(new Filtered(from, keep));
  }

  private static final class Filtered implements Iterator<Object> {
    private final Iterator<Object> from;
    private final Predicate<Object> keep;
    private boolean ready;
    private @Nullable Object next;

    Filtered(Iterator<Object> from, Predicate<Object> keep) {
      this.from = from;
      this.keep = keep;
    }

    @Override
    public boolean hasNext() {
      while (!ready && from.hasNext()) {
        next = from.next();
        ready = keep.test(next);
      }
      return ready;
    }

    @Override
    public @Nullable Object next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      ready = false;
      return next;
    }
  }
}
