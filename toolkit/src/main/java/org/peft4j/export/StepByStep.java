package org.peft4j.export;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.peft4j.onnx.Comparison;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/**
 * Two texts, a prompt and then token by token through a graph's cache, held against the model that
 * reads them at once.
 */
final class StepByStep {
  private static final int ROWS = 2;
  private static final int PROMPT = 6;
  private static final int LENGTH = 10;

  private final CausalPart part;
  private final OnnxSession session;

  StepByStep(CausalPart part, OnnxSession session) {
    this.part = part;
    this.session = session;
  }

  Comparison compare(double tolerance) {
    List<Comparison.Row> rows = new ArrayList<>();
    try (NDManager manager = Torch.newManager();
        Scope scope = Scope.open()) {
      Torch.inference(
          () -> {
            rows.add(row(manager));
            return null;
          });
    }
    return new Comparison(rows, tolerance);
  }

  private Comparison.Row row(NDManager manager) {
    Map<String, Long> sizes = new HashMap<>();
    sizes.put(CacheNames.BATCH, (long) ROWS);
    sizes.put(CacheNames.LENGTH, (long) LENGTH);
    sizes.put(CacheNames.PAST, 0L);
    NDArray ids = part.inputs().get(0).values(manager, sizes);
    NDList pieces = new NDList();
    Map<String, NDArray> past = new HashMap<>();
    List<String> names = CacheNames.of("past_key_values", part.sizes().layers());
    names.forEach(n -> past.put(n, manager.zeros(empty())));
    for (int read = 0, to = PROMPT; read < LENGTH; read = to, to = read + 1) {
      Map<String, NDArray> in = new HashMap<>(past);
      in.put("input_ids", ids.get(":, {}:{}", read, to));
      in.put("attention_mask", manager.ones(new Shape(ROWS, to), ids.getDataType()));
      in.put("position_ids", positions(manager, read, to));
      in.keySet().retainAll(session.inputs().stream().map(i -> i.name()).toList());
      Map<String, NDArray> out = session.run(manager, in);
      pieces.add(Objects.requireNonNull(out.get("logits")));
      for (String name : names) {
        past.put(name, Objects.requireNonNull(out.get(CacheNames.present(name))));
      }
    }
    NDList whole = new NDList(ids, manager.ones(ids.getShape(), ids.getDataType()));
    whole.add(positions(manager, 0, LENGTH));
    names.forEach(n -> whole.add(manager.zeros(empty())));
    NDArray expected = part.forward(new ParameterStore(manager, false), whole, false).head();
    NDArray found = pieces.head().getNDArrayInternal().concat(pieces.subNDList(1), 1);
    return Comparison.Row.of(sizes, "logits", expected, found).named("logits, token by token");
  }

  private Shape empty() {
    return new Shape(ROWS, part.sizes().groups(), 0, part.sizes().headSize());
  }

  private static NDArray positions(NDManager manager, int from, int to) {
    return manager
        .arange(from, to, 1, ai.djl.ndarray.types.DataType.INT64)
        .reshape(1, to - from)
        .broadcast(ROWS, to - from);
  }
}
