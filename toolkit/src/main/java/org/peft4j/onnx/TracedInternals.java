package org.peft4j.onnx;

import ai.djl.ndarray.internal.NDArrayEx;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import org.jspecify.annotations.Nullable;

/** Stands behind the {@link NDArrayEx} of a traced array. */
final class TracedInternals implements InvocationHandler {
  private final TracedArray array;

  private TracedInternals(TracedArray array) {
    this.array = array;
  }

  static NDArrayEx of(TracedArray array) {
    return (NDArrayEx)
        Proxy.newProxyInstance(
            TracedInternals.class.getClassLoader(),
            new Class<?>[] {NDArrayEx.class},
            new TracedInternals(array));
  }

  @Override
  public @Nullable Object invoke(Object self, Method method, @Nullable Object @Nullable [] args)
      throws Throwable {
    switch (method.getName()) {
      case "getArray":
        return array.proxy();
      case "hashCode":
        return System.identityHashCode(self);
      case "equals":
        return args != null && self == args[0];
      case "toString":
        return "internals of " + array.proxy();
      default:
        return new Call(
                array.trace(), array, "NDArrayEx", method, array.real().getNDArrayInternal(), args)
            .perform(self);
    }
  }
}
