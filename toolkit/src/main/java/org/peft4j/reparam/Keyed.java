package org.peft4j.reparam;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Method;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;

/**
 * A method whose configuration is a record with a {@link Key} at each component: its file entries,
 * its patterns by module and its summary follow from the record.
 */
interface Keyed extends Reparam {
  /** The line of the registry. */
  static Method method(Keyed standard) {
    return new Method(standard, c -> read(standard, c));
  }

  /** The configuration in a file. */
  static <T extends Keyed> T read(T standard, Entries file) {
    standard.constants().keySet().forEach(file::accept);
    file.accept("init_weights");
    return Keys.read(standard, file);
  }

  /** Refuses a file whose entry is another than the one there is here. */
  static void require(Entries file, String key, Object only) {
    Object found = only instanceof Boolean b ? file.flag(key, b) : file.text(key, only.toString());
    if (!found.equals(only)) {
      throw new IllegalArgumentException(
          key
              + "\nexpected: "
              + only
              + "\nfound: "
              + found
              + ", which is not supported\nfix: save the adapter anew with "
              + key
              + " = "
              + only);
    }
  }

  /** Entries of a file that are always written so, and whose value here does not matter. */
  default Map<String, Object> constants() {
    return Map.of("init_weights", true);
  }

  /** The record's own, in small letters. */
  @Override
  default String name() {
    return getClass().getSimpleName().toLowerCase(Locale.ROOT);
  }

  @Override
  default String peftType() {
    return name().toUpperCase(Locale.ROOT);
  }

  @Override
  default Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  @Override
  default Keyed at(Site site) {
    return Keys.at(this, site.path());
  }

  @Override
  default Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>(Keys.write(this));
    constants().forEach(c::putIfAbsent);
    return c;
  }

  @Override
  default String summary() {
    return Keys.summary(this);
  }

  /**
   * The options of a keyed method, set by the names of their entries.
   *
   * @param <T> the method
   * @param <S> the subclass, for chaining
   * @param <R> what {@code apply} makes
   */
  abstract class Options<T extends Keyed, S extends Options<T, S, R>, R> extends Fluent<T, S, R> {
    Options(Draft<T, R> draft, Function<Draft<T, R>, S> anew) {
      super(draft, anew);
    }

    /** The same with another value of an entry. */
    final S set(String key, Object value) {
      return with(Keys.with(tuner(), Map.of(key, value)));
    }
  }
}
