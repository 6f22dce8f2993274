package org.peft4j.export;

import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import java.util.IdentityHashMap;
import java.util.function.Function;
import org.peft4j.spi.Paths;

/** What the stored tensors of a graph are called: as Hugging Face calls the block's parameters. */
final class TensorNames {
  private TensorNames() {}

  static Function<Parameter, String> of(Block block) {
    IdentityHashMap<Parameter, String> names = new IdentityHashMap<>();
    Paths.parameters(block).forEach((path, p) -> names.put(p, path));
    return p -> names.getOrDefault(p, p.getName());
  }
}
