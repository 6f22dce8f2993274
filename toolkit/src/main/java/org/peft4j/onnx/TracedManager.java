package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Stands behind the {@link NDManager} that a traced forward sees: it records what is made and owns
 * nothing.
 */
final class TracedManager implements InvocationHandler {
  private final Trace trace;

  private TracedManager(Trace trace) {
    this.trace = trace;
  }

  static NDManager of(Trace trace) {
    return (NDManager)
        Proxy.newProxyInstance(
            TracedManager.class.getClassLoader(),
            new Class<?>[] {NDManager.class},
            new TracedManager(trace));
  }

  static boolean is(Object manager) {
    return Proxy.isProxyClass(manager.getClass())
        && Proxy.getInvocationHandler(manager) instanceof TracedManager;
  }

  @Override
  public @Nullable Object invoke(Object self, Method method, @Nullable Object @Nullable [] args)
      throws Throwable {
    String name = method.getName();
    switch (name) {
      case "newSubManager", "getParentManager":
        return self;
      case "close",
      "cap",
      "setName",
      "attachInternal",
      "attachUncappedInternal",
      "tempAttachInternal",
      "detachInternal",
      "attachAll",
      "tempAttachAll":
        return null;
      case "ret":
        return args == null ? null : args[0];
      case "isOpen":
        return true;
      case "getManagedArrays":
        return List.of();
      case "getDevice", "defaultDevice", "getEngine", "getName", "allocateDirect":
        return method.invoke(trace.manager(), args);
      case "from":
        return args == null || args[0] == null || args[0] instanceof Traced
            ? Objects.requireNonNull(args)[0]
            : trace.array(trace.value((NDArray) args[0]));
      case "hashCode":
        return System.identityHashCode(self);
      case "equals":
        return args != null && self == args[0];
      case "toString":
        return "the manager of a traced forward";
      default:
        break;
    }
    if (name.startsWith("random") || name.startsWith("sample") || name.equals("truncatedNormal")) {
      throw new ExportException(
          "NDManager."
              + name
              + ": a random number in the forward; a graph has none\nat: "
              + CallSite.here()
              + "\nfix: make it only while training, or an input");
    }
    return new Call(trace, null, "NDManager", method, trace.manager(), args).perform(self);
  }
}
