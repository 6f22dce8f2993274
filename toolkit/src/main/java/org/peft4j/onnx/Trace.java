package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Parameter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.Torch;

/**
 * One forward pass, recorded. Every operation is run on real arrays, at small sizes, and noted down
 * as ONNX nodes. The trace owns the arrays, whatever scope or manager the forward puts them in.
 */
final class Trace implements AutoCloseable {
  private final NDManager manager = Torch.newManager();
  private final NDManager recorder = TracedManager.of(this);
  private final boolean contrib;
  private final List<Value> values = new ArrayList<>();
  private final List<Node> nodes = new ArrayList<>();
  private final List<Value> outputs = new ArrayList<>();

  /** Parameters and arrays from outside the trace, by the array's own id. */
  private final Map<String, Value> outside = new HashMap<>();

  private final ParameterNames parameters;

  /**
   * @param contrib whether a composite of another domain is recorded as one node
   */
  Trace(ParameterNames parameters, boolean contrib) {
    this.parameters = parameters;
    this.contrib = contrib;
  }

  NDManager manager() {
    return manager;
  }

  NDManager recorder() {
    return recorder;
  }

  boolean contrib() {
    return contrib;
  }

  List<Value> values() {
    return Collections.unmodifiableList(values);
  }

  List<Node> nodes() {
    return Collections.unmodifiableList(nodes);
  }

  List<Value> outputs() {
    return Collections.unmodifiableList(outputs);
  }

  NDArray input(String name, NDArray real) {
    return borrowed(add(Value.array(Value.Kind.INPUT, values.size(), name, real, List.of())));
  }

  void output(NDArray array) {
    outputs.add(value(array));
  }

  /** A parameter, of the block or of one that the block runs without saying so. */
  NDArray parameter(Parameter parameter) {
    NDArray real = parameter.getArray();
    Value known = outside.get(real.getUid());
    return borrowed(known != null ? known : outside(real, parameters.name(parameter)));
  }

  /**
   * What is recorded of an array; one from outside the trace is a parameter, or else a constant.
   */
  Value value(NDArray array) {
    if (array instanceof Traced traced) {
      if (traced.traced().trace() != this) {
        throw new ExportException(
            "the forward uses an array of an earlier forward, kept in a field\nat: "
                + CallSite.here()
                + "\nfix: compute it in each forward, or make it a Parameter");
      }
      return traced.traced().value();
    }
    Value known = outside.get(array.getUid());
    if (known != null) {
      return known;
    }
    return outside(array, parameters.name(array));
  }

  private Value outside(NDArray array, @Nullable String name) {
    Value v =
        name != null
            ? Value.array(Value.Kind.PARAMETER, values.size(), name, array, List.of())
            // copied: who made it may free it before the graph is written
            : Value.array(Value.Kind.CONSTANT, values.size(), "", own(array::duplicate), List.of());
    outside.put(array.getUid(), v);
    return add(v);
  }

  /** A constant that is no array of the block's. */
  Value constant(NDArray real, List<Value> sources) {
    return add(Value.array(Value.Kind.CONSTANT, values.size(), "", real, sources));
  }

  Value number(Number number, DataType type) {
    return add(Value.number(values.size(), number, type));
  }

  Value integers(long... integers) {
    return add(Value.integers(values.size(), false, integers));
  }

  Value integers(int[] integers) {
    return integers(Arrays.stream(integers).asLongStream().toArray());
  }

  Value scalarInteger(long integer) {
    return add(Value.integers(values.size(), true, integer));
  }

  Value absent() {
    return add(Value.absent(values.size()));
  }

  /** The same value in another element type. */
  Value cast(Value v, DataType type) {
    if (v.type == type) {
      return v;
    }
    Number number = v.single();
    if (v.kind == Value.Kind.NUMBER && number != null) {
      return number(number, type);
    }
    NDArray real = own(() -> v.real().toType(type, true));
    return node("Cast", Map.of("to", (long) Types.code(type)), real, v);
  }

  /** Records a node of ONNX's own domain with one output, which is computed as {@code real}. */
  Value node(String operator, Map<String, ?> attributes, NDArray real, Value... inputs) {
    DataType type = inputs[0].type;
    DataType other = Kernels.detour(operator, type);
    if (other == type) {
      return only(nodes("", operator, attributes, List.of(real), List.of(inputs)));
    }
    List<Value> in = new ArrayList<>();
    for (Value v : inputs) {
      in.add(v.type == type ? cast(v, other) : v);
    }
    DataType result = real.getDataType();
    NDArray computed = result == type ? own(() -> real.toType(other, true)) : real;
    return cast(only(nodes("", operator, attributes, List.of(computed), in)), result);
  }

  private static Value only(List<@Nullable Value> outputs) {
    return java.util.Objects.requireNonNull(outputs.get(0));
  }

  /** Records a node; an output whose array is null is left out. */
  List<@Nullable Value> nodes(
      String domain,
      String operator,
      Map<String, ?> attributes,
      List<? extends @Nullable NDArray> reals,
      List<Value> inputs) {
    List<@Nullable Value> results = new ArrayList<>();
    for (NDArray real : reals) {
      results.add(
          real == null
              ? null
              : add(Value.array(Value.Kind.RESULT, values.size(), "", real, inputs)));
    }
    nodes.add(
        new Node(
            domain,
            operator,
            new TreeMap<>(attributes),
            List.copyOf(inputs),
            Collections.unmodifiableList(results),
            CallSite.here()));
    return results;
  }

  private Value add(Value v) {
    values.add(v);
    return v;
  }

  /** The array that a forward sees, with memory of its own. */
  NDArray array(Value v) {
    return new TracedArray(this, v, new Storage(false)).proxy();
  }

  /** The array that a forward sees, in the memory of {@code base}. */
  NDArray view(Value v, TracedArray base) {
    return new TracedArray(this, v, base.storage()).proxy();
  }

  private NDArray borrowed(Value v) {
    return new TracedArray(this, v, new Storage(true)).proxy();
  }

  /** Runs an operation on real arrays; the result becomes the trace's own. */
  <T extends @Nullable Object> T own(Callable<T> operation, NDArray... operands) {
    // an operation of several steps may leave arrays behind in the manager of a weight
    try (NDScope scope = new NDScope()) {
      T result = operation.call();
      if (result instanceof NDArray a) {
        adopt(a, operands);
      } else if (result instanceof NDList list) {
        list.forEach(a -> adopt(a, operands));
      }
      return result;
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }

  private void adopt(@Nullable NDArray array, NDArray... operands) {
    if (array == null) {
      return;
    }
    NDScope.unregister(array);
    for (NDArray operand : operands) {
      if (operand == array) {
        return; // an operation that had nothing to do; the array may be a weight
      }
    }
    array.attach(manager);
  }

  /** Ends the recording; without {@code keep} the arrays are freed. */
  void seal(boolean keep) {
    values.forEach(Value::seal);
    values.forEach(v -> v.release(!keep));
    if (!keep) {
      manager.close();
    }
  }

  @Override
  public void close() {
    manager.close();
  }

  /** Memory that several arrays may share. */
  static final class Storage {
    private final boolean borrowed;
    private int arrays;

    Storage(boolean borrowed) {
      this.borrowed = borrowed;
    }

    void join() {
      arrays++;
    }

    /** Whether a write in place is seen by nobody but the array itself. */
    boolean exclusive() {
      return !borrowed && arrays == 1;
    }
  }
}
