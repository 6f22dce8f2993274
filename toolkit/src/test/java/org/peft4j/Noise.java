package org.peft4j;

import ai.djl.ndarray.NDArray;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** Moves what adapters train, so that no method is near its start. */
final class Noise {
  private Noise() {}

  static void on(Tuned tuned) {
    tuned
        .trainable()
        .forEach(
            (name, p) ->
                Torch.inference(
                    () -> {
                      try (Scope scope = Scope.open()) {
                        NDArray value = p.getArray();
                        NDArray noise =
                            Seed.of(5).at(name).normal(value.getManager(), value.getShape(), 0.05);
                        Buffers.copy(value.add(noise), value);
                      }
                      return p;
                    }));
  }
}
