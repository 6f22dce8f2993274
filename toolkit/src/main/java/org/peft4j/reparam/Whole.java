package org.peft4j.reparam;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;

/** Whole weights and biases are trained, {@code W = theta}, started at copies of the model's. */
interface Whole extends Reparam {
  /** What stands for everything in a list of targets. */
  List<String> EVERYTHING = List.of("regex:.*");

  Copies COPIES = new Copies("weight", "bias");

  @Override
  default Set<Kind> kinds() {
    return EnumSet.allOf(Kind.class);
  }

  @Override
  default List<String> usualTargets(List<Site> sites) {
    return EVERYTHING;
  }

  @Override
  default boolean followsTies() {
    return true;
  }

  @Override
  default boolean trainsBias() {
    return true;
  }

  @Override
  default void declare(Site site, Declaration theta) {
    COPIES.declare(site, theta);
  }

  @Override
  default Weight effective(At at) {
    return COPIES.effective(at);
  }
}
