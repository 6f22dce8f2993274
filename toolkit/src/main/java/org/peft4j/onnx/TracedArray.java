package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.internal.NDArrayEx;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Stands behind an {@link NDArray} while a forward is traced. It is a proxy rather than a class, so
 * that a method nobody thought of reaches {@link #invoke} and can be refused.
 */
final class TracedArray implements InvocationHandler {
  private static final Set<String> READS =
      Set.of(
          "toByteBuffer",
          "toDoubleArray",
          "toFloatArray",
          "toShortArray",
          "toUnsignedShortArray",
          "toIntArray",
          "toUnsignedIntArray",
          "toLongArray",
          "toByteArray",
          "toUint8Array",
          "toBooleanArray",
          "toStringArray",
          "toArray",
          "getLong",
          "getDouble",
          "getFloat",
          "getInt",
          "getByte",
          "getUint8",
          "getBoolean",
          "contentEquals",
          "allClose",
          "encode",
          "copyTo");

  private static final Map<String, String> IN_PLACE =
      Map.ofEntries(
          Map.entry("addi", "add"),
          Map.entry("subi", "sub"),
          Map.entry("muli", "mul"),
          Map.entry("divi", "div"),
          Map.entry("modi", "mod"),
          Map.entry("powi", "pow"),
          Map.entry("signi", "sign"),
          Map.entry("negi", "neg"));

  private final Trace trace;
  private final NDArray proxy;
  private final String uid;
  private Value value;
  private Trace.Storage storage;
  private @Nullable String name;
  private @Nullable NDArrayEx internals;

  @SuppressWarnings("this-escape")
  TracedArray(Trace trace, Value value, Trace.Storage storage) {
    this.trace = trace;
    this.value = value;
    this.storage = storage;
    this.uid = "traced-" + value.id;
    storage.join();
    this.proxy =
        (NDArray)
            Proxy.newProxyInstance(
                TracedArray.class.getClassLoader(),
                new Class<?>[] {NDArray.class, Traced.class},
                this);
  }

  static Set<String> inPlaceMethods() {
    return IN_PLACE.keySet();
  }

  Trace trace() {
    return trace;
  }

  NDArray proxy() {
    return proxy;
  }

  Value value() {
    return value;
  }

  NDArray real() {
    return value.real();
  }

  Trace.Storage storage() {
    return storage;
  }

  /** A write in place, of an array that {@code result} holds anew. */
  void become(String operation, NDArray result) {
    requireExclusive(operation);
    value = trace.value(result);
    storage = new Trace.Storage(false);
    storage.join();
  }

  void requireExclusive(String operation) {
    if (!storage.exclusive()) {
      throw new ExportException(
          operation
              + " writes to an input, a parameter, or an array that is a view or has views: a "
              + "graph cannot write, and who shares the"
              + " memory would not see it\nat: "
              + CallSite.here()
              + "\nfix: use what the operation without a write returns, such as add instead of "
              + "addi");
    }
  }

  @Override
  public @Nullable Object invoke(Object self, Method method, @Nullable Object @Nullable [] args)
      throws Throwable {
    String method0 = method.getName();
    switch (method0) {
      case "traced":
        return this;
      case "allowsContrib":
        return trace.contrib();
      case "record":
        return Tracing.record(trace, args == null ? new Object[0] : args);
      case "getManager":
        return trace.recorder();
      case "attach", "tempAttach", "returnResource", "detach", "close", "setRequiresGradient":
        return null;
      case "getShape":
        return value.shape;
      case "getDataType":
        return value.type;
      case "getDevice", "getSparseFormat":
        return method.invoke(real(), args);
      case "isReleased", "hasGradient":
        return false;
      case "getUid":
        return uid;
      case "getName":
        return name;
      case "setName":
        name = args == null ? null : (String) args[0];
        return null;
      case "hashCode":
        return System.identityHashCode(self);
      case "equals":
        return args != null && self == args[0];
      case "toString", "toDebugString":
        return "traced " + Types.text(value.type) + " " + value.shape;
      case "getResourceNDArrays":
        return List.of(proxy);
      case "getNDArrayInternal":
        if (internals == null) {
          internals = TracedInternals.of(this);
        }
        return internals;
      default:
        break;
    }
    Call call = new Call(trace, this, "NDArray", method, real(), args);
    if (READS.contains(method0)) {
      return call.read();
    }
    String functional = IN_PLACE.get(method0);
    if (functional != null) {
      return inPlace(functional, method, args);
    }
    return call.perform(self);
  }

  private Object inPlace(String functional, Method method, @Nullable Object @Nullable [] args)
      throws Throwable {
    requireExclusive("NDArray." + method.getName());
    Method other = NDArray.class.getMethod(functional, method.getParameterTypes());
    NDArray result = (NDArray) java.util.Objects.requireNonNull(invoke(proxy, other, args));
    if (!result.getShape().equals(value.shape)) {
      throw new ExportException(
          "NDArray."
              + method.getName()
              + " would change the shape "
              + value.shape
              + " to "
              + result.getShape()
              + "\nat: "
              + CallSite.here());
    }
    become("NDArray." + method.getName(), result.toType(value.type, false));
    return proxy;
  }
}
