package org.peft4j.spi;

import java.util.function.Function;

/**
 * One line of a list of methods.
 *
 * @param standard the method's default configuration
 * @param read makes a configuration of the entries of an {@code adapter_config.json}
 */
public record Method(Reparam standard, Function<Entries, ? extends Reparam> read) {
  public String name() {
    return standard.name();
  }
}
