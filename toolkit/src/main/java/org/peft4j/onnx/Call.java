package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** One call that a traced forward makes of an array, its internals or a manager. */
final class Call {
  private final Trace trace;
  private final @Nullable TracedArray receiver;
  private final String type;
  private final Method method;
  private final Object target;
  private final @Nullable Object[] args;
  private @Nullable Object result;

  Call(
      Trace trace,
      @Nullable TracedArray receiver,
      String type,
      Method method,
      Object target,
      @Nullable Object @Nullable [] args) {
    this.trace = trace;
    this.receiver = receiver;
    this.type = type;
    this.method = method;
    this.target = target;
    this.args = args == null ? new Object[0] : args;
    for (Object arg : this.args) {
      if (arg instanceof Traced) {
        trace.value(
            (NDArray) arg); // refuses one of another trace before it meets this one's arrays
      }
    }
  }

  Trace trace() {
    return trace;
  }

  String operation() {
    return type + "." + method.getName();
  }

  /** Records it. */
  @Nullable Object perform(Object proxy) throws Throwable {
    Emitter emitter = Operators.find(operation());
    if (emitter != null) {
      return emitter.emit(this);
    }
    if (method.isDefault()) {
      return InvocationHandler.invokeDefault(proxy, method, args); // made of other methods
    }
    if (!fed()
        && (method.getReturnType() == NDArray.class || method.getReturnType() == NDList.class)) {
      return constant();
    }
    throw unsupported(
        switch (method.getName()) {
          case "booleanMask", "nonzero", "unique" ->
              "the shape of its result depends on the values";
          default -> "there is no entry for it in the operator table";
        });
  }

  ExportException unsupported(String why) {
    return new ExportException(
        operation()
            + " cannot be exported: "
            + why
            + "\nat: "
            + CallSite.here()
            + "\nfix: write it with other operations, or wrap it in Tracing.composite");
  }

  /** Whether it depends on the values of an input. */
  boolean fed() {
    if (receiver != null && receiver.value().fed) {
      return true;
    }
    return operands().stream().anyMatch(v -> v.fed);
  }

  private List<Value> operands() {
    List<Value> operands = new ArrayList<>();
    for (Object arg : args) {
      if (arg instanceof NDArray a) {
        operands.add(trace.value(a));
      } else if (arg instanceof NDList list) {
        list.forEach(a -> operands.add(trace.value(a)));
      }
    }
    return operands;
  }

  /**
   * Of parameters and constants alone anything can be computed: the result is one more constant.
   */
  Object constant() {
    List<Value> sources = operands();
    if (receiver != null) {
      sources.add(0, receiver.value());
    }
    if (run() instanceof NDList list) {
      NDList out = new NDList();
      list.forEach(a -> out.add(trace.array(trace.constant(a, sources))));
      return out;
    }
    return trace.array(trace.constant(result(), sources));
  }

  /** Reads values into Java, which a constant allows and an input does not. */
  @Nullable Object read() {
    if (fed()) {
      boolean foreign =
          StackWalker.getInstance()
              .walk(
                  frames ->
                      frames.anyMatch(
                          f ->
                              f.getClassName().endsWith("PtNDManager")
                                  && f.getMethodName().equals("from")));
      throw new ExportException(
          foreign
              ? "an array from outside the forward is the receiver of an operation on a traced "
                  + "one, which would make a constant of it\nat: "
                  + CallSite.here()
                  + "\nfix: take it through ParameterStore.getValue, or make it the argument "
                  + "instead of the receiver"
              : operation()
                  + ": the forward reads the values of an array that depends on an input, so "
                  + "the graph would depend on them\nat: "
                  + CallSite.here()
                  + "\nfix: compute with arrays only");
    }
    return invoke();
  }

  // ---- what emitters use

  int count() {
    return args.length;
  }

  boolean isArray(int i) {
    return args[i] instanceof NDArray;
  }

  boolean isNull(int i) {
    return args[i] == null;
  }

  /** An argument that is neither array nor list. */
  <T> T argument(int i, Class<T> as) {
    return as.cast(Objects.requireNonNull(args[i]));
  }

  @Nullable Object argument(int i) {
    return args[i];
  }

  int integer(int i) {
    return argument(i, Integer.class);
  }

  TracedArray receiver() {
    return Objects.requireNonNull(receiver);
  }

  /** The receiver. */
  Value self() {
    return receiver().value();
  }

  /** The receiver as the forward sees it, to compose other operations with. */
  NDArray array() {
    return receiver().proxy();
  }

  /** An argument as the forward sees it. */
  NDArray array(int i) {
    NDArray a = argument(i, NDArray.class);
    return a instanceof Traced ? a : trace.array(trace.value(a));
  }

  /** An array argument. */
  Value operand(int i) {
    return trace.value(argument(i, NDArray.class));
  }

  /** An argument that is an array or a number, in the given type. */
  Value operand(int i, DataType as) {
    return args[i] instanceof Number n ? trace.number(n, as) : trace.cast(operand(i), as);
  }

  /** Arrays of a list argument. */
  List<Value> operands(int i) {
    List<Value> values = new ArrayList<>();
    argument(i, NDList.class).forEach(a -> values.add(trace.value(a)));
    return values;
  }

  /** An axis argument, counted from the front. */
  int axis(int i) {
    return Math.floorMod(integer(i), Math.max(1, self().shape.dimension()));
  }

  /** What the real operation gives; it runs once. */
  NDArray result() {
    return run() instanceof NDList list ? list.get(0) : (NDArray) run();
  }

  NDList results() {
    return (NDList) run();
  }

  /** Records one node of the receiver and the operands, whose result is the call's. */
  NDArray one(String operator, Map<String, ?> attributes, Value... inputs) {
    return trace.array(trace.node(operator, attributes, result(), inputs));
  }

  /** The same, where the result shares the receiver's memory. */
  NDArray view(String operator, Map<String, ?> attributes, Value... inputs) {
    return trace.view(trace.node(operator, attributes, result(), inputs), receiver());
  }

  private Object run() {
    if (result == null) {
      result = trace.own(() -> Objects.requireNonNull(invoke()), reals());
    }
    return result;
  }

  private NDArray[] reals() {
    List<NDArray> reals = new ArrayList<>();
    if (receiver != null) {
      reals.add(receiver.real());
    }
    for (Object arg : args) {
      if (arg instanceof NDArray a) {
        reals.add(real(a));
      } else if (arg instanceof NDList list) {
        list.forEach(a -> reals.add(real(a)));
      }
    }
    return reals.toArray(new NDArray[0]);
  }

  private @Nullable Object invoke() {
    @Nullable Object[] real = args.clone();
    for (int i = 0; i < real.length; i++) {
      Object arg = real[i];
      if (arg instanceof NDArray a) {
        real[i] = real(a);
      } else if (arg instanceof NDList list) {
        NDList copy = new NDList();
        list.forEach(a -> copy.add(real(a)));
        real[i] = copy;
      } else if (arg instanceof NDManager m && TracedManager.is(m)) {
        real[i] = trace.manager();
      }
    }
    try {
      return method.invoke(target, real);
    } catch (InvocationTargetException e) {
      throw e.getCause() instanceof RuntimeException r
          ? r
          : new IllegalStateException(e.getCause());
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
  }

  static NDArray real(NDArray a) {
    return a instanceof Traced t ? t.traced().real() : a;
  }
}
