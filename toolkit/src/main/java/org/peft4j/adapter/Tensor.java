package org.peft4j.adapter;

import ai.djl.nn.Parameter;
import org.peft4j.spi.Declaration;

/** A declared tensor of an adapter and the parameter that holds its value. */
record Tensor(Declaration.Entry entry, Parameter parameter) {
  boolean trained() {
    return entry.role().isTrained();
  }

  /** Whether an adapter file holds it. */
  boolean inFile() {
    return entry.role().isFiled();
  }

  /** Whether a file may leave it out. */
  boolean optional() {
    return entry.role() == Declaration.Role.OPTIONAL;
  }

  /** Whether training changes it, so that a checkpoint holds it. */
  boolean changes() {
    return switch (entry.role()) {
      case TRAINED, FOLDED, STATE, ACCUMULATED -> true;
      case SAVED, OPTIONAL, DERIVED, FOLLOWING -> false;
    };
  }
}
