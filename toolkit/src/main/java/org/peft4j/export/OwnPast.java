package org.peft4j.export;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.peft4j.onnx.Input;
import org.peft4j.onnx.Sample;
import org.peft4j.tensor.Scope;

/**
 * Keys and values to check a graph with, as the model itself makes them of random tokens. Random
 * ones would do to trace, but no model is made for them: its answers would follow every rounding.
 */
final class OwnPast {
  private final CausalPart part;
  private final List<Input> inputs;
  private final Map<String, NDArray> made = new HashMap<>();
  private @Nullable NDManager owner;

  OwnPast(CausalPart part) {
    this.part = part;
    this.inputs = part.inputs();
  }

  /** Those of one layer. */
  Sample of(String name) {
    return draw -> {
      if (owner != draw.manager()) {
        owner = draw.manager();
        made.clear();
        run(draw.manager(), draw.sizes());
      }
      return Objects.requireNonNull(made.get(name));
    };
  }

  private void run(NDManager manager, Map<String, Long> sizes) {
    long past = sizes.getOrDefault(CacheNames.PAST, 0L);
    Map<String, Long> before = new HashMap<>(sizes);
    before.put(CacheNames.LENGTH, past);
    before.put(CacheNames.PAST, 0L);
    NDList in = new NDList();
    for (Input input : inputs) {
      NDArray x =
          input.name().equals("attention_mask")
              ? manager.ones(
                  new Shape(sizes.getOrDefault(CacheNames.BATCH, 1L), past), DataType.INT64)
              : input.values(manager, before);
      in.add(x);
    }
    NDList out =
        past == 0 ? in.subNDList(2) : part.forward(new ParameterStore(manager, false), in, false);
    for (int i = 3; i < inputs.size(); i++) {
      made.put(inputs.get(i).name(), Scope.giveTo(manager, out.get(i - 2)));
    }
  }
}
