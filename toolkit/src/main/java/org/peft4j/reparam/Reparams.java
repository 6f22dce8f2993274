package org.peft4j.reparam;

import java.util.List;
import java.util.function.Function;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Reparam;

/**
 * Every reparameterisation, one line each. Being listed here puts a method under the contract
 * suite, the loader and {@code peft methods}.
 */
public final class Reparams {
  /**
   * One method.
   *
   * @param standard its default configuration
   * @param read makes a configuration of the entries of an {@code adapter_config.json}
   */
  public record Entry(Reparam standard, Function<Entries, ? extends Reparam> read) {
    public String name() {
      return standard.name();
    }
  }

  private static final List<Entry> ALL =
      List.of(
          new Entry(new Lora(), Lora::fromConfig),
          new Entry(new AdaLora(), AdaLora::fromConfig),
          new Entry(new Vera(), Vera::fromConfig),
          new Entry(new Full(), Full::fromConfig));

  private Reparams() {}

  public static List<Entry> all() {
    return ALL;
  }

  /** The method that users type so; an error that lists the known ones if there is none. */
  public static Entry byName(String name) {
    for (Entry e : ALL) {
      if (e.name().equals(name)) {
        return e;
      }
    }
    throw new IllegalArgumentException(
        "method\nexpected: one of " + ALL.stream().map(Entry::name).toList() + "\nfound: " + name);
  }

  /**
   * The method whose {@code peft_type} this is; an error that lists the known ones if there is
   * none.
   */
  public static Entry byPeftType(String peftType) {
    for (Entry e : ALL) {
      if (e.standard().peftType().equals(peftType)) {
        return e;
      }
    }
    throw new IllegalArgumentException(
        "peft_type\nexpected: one of "
            + ALL.stream().map(e -> e.standard().peftType()).toList()
            + "\nfound: "
            + peftType);
  }
}
