package org.peft4j.quant;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.util.List;
import java.util.Objects;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Parameters;
import org.peft4j.spi.Storage;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;

/**
 * Every storage, one line each. Being listed here puts it under the tests that every method passes.
 */
public final class Storages {
  private static final Storage DENSE =
      new Storage() {
        @Override
        public String name() {
          return "f32";
        }

        @Override
        public double bits() {
          return 32;
        }

        @Override
        public Frozen store(Frozen like, NDArray weight, NDManager owner) {
          NDArray copy = Scope.giveTo(owner, Buffers.copyOf(owner, weight));
          return new Dense(
              Parameters.of(
                  like.parameters().get(0).getName(),
                  like.parameters().get(0).getType(),
                  copy,
                  false),
              like.biasParameter(),
              like.operation());
        }
      };

  private static final List<Storage> ALL = List.of(DENSE, Nf4.BLOCKS_OF_64);

  private Storages() {}

  public static List<Storage> all() {
    return ALL;
  }

  /** Plain float32. */
  public static Storage dense() {
    return DENSE;
  }

  /** The storage of that name; an error that lists the known ones if there is none. */
  public static Storage byName(String name) {
    return ALL.stream()
        .filter(s -> s.name().equals(Objects.requireNonNull(name)))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "storage\nexpected: one of "
                        + ALL.stream().map(Storage::name).toList()
                        + "\nfound: "
                        + name));
  }
}
