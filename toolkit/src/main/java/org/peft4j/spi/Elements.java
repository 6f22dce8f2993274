package org.peft4j.spi;

import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.nn.Parameter;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** How many numbers a tree of blocks holds. */
public final class Elements {
  private Elements() {}

  /**
   * Elements of all parameters, shared ones once, quantised ones as if they were not. Running
   * statistics are no parameters.
   */
  public static long of(Block root) {
    Map<String, Long> quantised = new HashMap<>();
    for (Block block : Paths.blocks(root).keySet()) {
      if (block instanceof Slotted slot && !(slot.frozen() instanceof Dense)) {
        List<Parameter> stored = slot.frozen().parameters();
        stored.forEach(p -> quantised.put(p.getId(), 0L));
        quantised.put(
            stored.get(0).getId(), slot.frozen().shape().size() + slot.frozen().biasSize());
      }
    }
    long n = 0;
    for (Parameter p : Paths.parameters(root).values()) {
      if (p.getType() != Parameter.Type.RUNNING_MEAN && p.getType() != Parameter.Type.RUNNING_VAR) {
        Shape shape = p.getShape() != null ? p.getShape() : p.getArray().getShape();
        n += quantised.getOrDefault(p.getId(), shape.size());
      }
    }
    return n;
  }
}
