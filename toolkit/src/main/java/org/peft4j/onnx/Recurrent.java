package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.recurrent.RNN;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Emitters of recurrent layers, a node per layer. PyTorch keeps the gates in another order than
 * ONNX (LSTM i f c o for i o f c, GRU r z n for z r n); they are swapped in the weights.
 */
final class Recurrent {
  private Recurrent() {}

  /**
   * input, state, parameters, biases, layers, activation, drop rate, training, bidirectional, batch
   * first.
   */
  static NDList rnn(Call call) {
    String function =
        call.argument(5, RNN.Activation.class) == RNN.Activation.RELU ? "Relu" : "Tanh";
    Layers layers = new Layers(call, "RNN", new int[] {0}, 6);
    layers.attributes.put("activations", Collections.nCopies(layers.directions, function));
    return layers.emit(List.of(call.array(1)));
  }

  /** input, state, parameters, biases, layers, drop rate, training, bidirectional, batch first. */
  static NDList gru(Call call) {
    Layers layers = new Layers(call, "GRU", new int[] {1, 0, 2}, 5);
    layers.attributes.put("linear_before_reset", 1L);
    return layers.emit(List.of(call.array(1)));
  }

  static NDList lstm(Call call) {
    NDList states = new NDList();
    call.operands(1).forEach(v -> states.add(call.trace().array(v)));
    return new Layers(call, "LSTM", new int[] {0, 3, 1, 2}, 5).emit(states);
  }

  private static final class Layers {
    private final Call call;
    private final Trace trace;
    private final String operator;
    private final int[] gates;
    private final List<NDArray> parameters;
    private final boolean biases;
    private final int count;
    private final int directions;
    private final boolean batchFirst;
    private final Map<String, Object> attributes = new TreeMap<>();

    /**
     * @param at where the drop rate is among the arguments
     */
    Layers(Call call, String operator, int[] gates, int at) {
      this.call = call;
      this.trace = call.trace();
      this.operator = operator;
      this.gates = gates;
      parameters = call.operands(2).stream().map(trace::array).toList();
      biases = call.argument(3, Boolean.class);
      count = call.integer(4);
      if (call.argument(at + 1, Boolean.class)) {
        throw call.unsupported("it is in training mode");
      }
      directions = call.argument(at + 2, Boolean.class) ? 2 : 1;
      batchFirst = call.argument(at + 3, Boolean.class);
    }

    NDList emit(List<NDArray> states) {
      call.results(); // refuses what the engine refuses
      if (!call.fed()) {
        return (NDList) call.constant();
      }
      long hidden = parameters.get(1).getShape().get(1);
      attributes.put("hidden_size", hidden);
      attributes.put("direction", directions == 2 ? "bidirectional" : "forward");
      NDArray x = batchFirst ? call.array(0).transpose(1, 0, 2) : call.array(0);
      List<NDList> last = new ArrayList<>();
      states.forEach(s -> last.add(new NDList()));
      for (int layer = 0; layer < count; layer++) {
        List<NDArray> y = layer(layer, x, states, hidden);
        Shape s = y.get(0).getShape(); // [length, directions, batch, hidden]
        x = y.get(0).transpose(0, 2, 1, 3).reshape(s.get(0), s.get(2), directions * hidden);
        for (int i = 0; i < last.size(); i++) {
          last.get(i).add(y.get(i + 1));
        }
      }
      NDList out = new NDList(batchFirst ? x.transpose(1, 0, 2) : x);
      last.forEach(s -> out.add(s.size() == 1 ? s.get(0) : NDArrays.concat(s, 0)));
      return out;
    }

    private List<NDArray> layer(int layer, NDArray x, List<NDArray> states, long hidden) {
      Shape in = x.getShape();
      List<Value> operands =
          new ArrayList<>(List.of(trace.value(x), weights(layer, 0), weights(layer, 1)));
      operands.add(biases ? biases(layer) : trace.absent());
      operands.add(trace.absent()); // all sequences have full length
      for (NDArray state : states) {
        operands.add(trace.value(state.get("{}:{}", layer * directions, (layer + 1) * directions)));
      }
      List<NDArray> shapes = new ArrayList<>();
      shapes.add(zeros(in.get(0), directions, in.get(1), hidden));
      states.forEach(s -> shapes.add(zeros(directions, in.get(1), hidden)));
      List<NDArray> out = new ArrayList<>();
      for (@Nullable Value v : trace.nodes("", operator, attributes, shapes, operands)) {
        out.add(trace.array(java.util.Objects.requireNonNull(v)));
      }
      return out;
    }

    /** Stands for a result, of which only the shape counts as it is never folded. */
    private NDArray zeros(long... shape) {
      return trace.own(() -> trace.manager().zeros(new Shape(shape), call.self().type));
    }

    /** The weights of inputs (0) or states (1), {@code [directions, gates * hidden, in]}. */
    private Value weights(int layer, int which) {
      NDList parts = new NDList();
      for (int d = 0; d < directions; d++) {
        parts.add(ordered(parameter(layer, d, which)).expandDims(0));
      }
      return joined(parts, 0);
    }

    /** {@code [directions, 2 * gates * hidden]}. */
    private Value biases(int layer) {
      NDList parts = new NDList();
      for (int d = 0; d < directions; d++) {
        parts.add(
            NDArrays.concat(
                    new NDList(ordered(parameter(layer, d, 2)), ordered(parameter(layer, d, 3))), 0)
                .expandDims(0));
      }
      return joined(parts, 0);
    }

    private Value joined(NDList parts, int axis) {
      return trace.value(parts.size() == 1 ? parts.get(0) : NDArrays.concat(parts, axis));
    }

    private NDArray parameter(int layer, int direction, int which) {
      return parameters.get((layer * directions + direction) * (biases ? 4 : 2) + which);
    }

    private NDArray ordered(NDArray weight) {
      long size = weight.getShape().get(0) / gates.length;
      NDList parts = new NDList();
      Arrays.stream(gates).forEach(g -> parts.add(weight.get("{}:{}", g * size, (g + 1) * size)));
      return parts.size() == 1 ? parts.get(0) : NDArrays.concat(parts, 0);
    }
  }
}
