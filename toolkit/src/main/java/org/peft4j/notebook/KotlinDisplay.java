package org.peft4j.notebook;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Base64;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The page of the Kotlin kernel, by the host that it gives to integrations ({@code
 * KotlinKernelHost}): {@code onLoaded { Displays.use(KotlinDisplay.on(this)) }}.
 */
public final class KotlinDisplay implements Display {
  private static final String API = "org.jetbrains.kotlinx.jupyter.api.";

  private final Object host;
  private final Method show;
  private final Method update;
  private final Constructor<?> result;
  private final Set<String> shown = new HashSet<>();

  private KotlinDisplay(Object host, Method show, Method update, Constructor<?> result) {
    this.host = host;
    this.show = show;
    this.update = update;
    this.result = result;
  }

  /**
   * The page of this host.
   *
   * @throws IllegalArgumentException when it is no host of that kernel
   */
  public static KotlinDisplay on(Object host) {
    try {
      ClassLoader loader = host.getClass().getClassLoader();
      Class<?> type = Class.forName(API + "KotlinKernelHost", true, loader);
      if (!type.isInstance(host)) {
        throw new ClassNotFoundException(type.getName());
      }
      return new KotlinDisplay(
          host,
          type.getMethod("display", Object.class, String.class),
          type.getMethod("updateDisplay", Object.class, String.class),
          Class.forName(API + "MimeTypedResult", true, loader)
              .getConstructor(Map.class, boolean.class, String.class));
    } catch (ReflectiveOperationException | LinkageError e) {
      throw new IllegalArgumentException(
          "host\nexpected: a " + API + "KotlinKernelHost\nfound: " + host.getClass().getName(), e);
    }
  }

  @Override
  public void show(Rich content) {
    call(show, host, result(content, null), null);
  }

  @Override
  public synchronized void update(String id, Rich content) {
    call(shown.add(id) ? show : update, host, result(content, id), id);
  }

  @Override
  public boolean isRich() {
    return true;
  }

  private Object result(Rich content, @Nullable String id) {
    Map<String, String> forms = new LinkedHashMap<>();
    content
        .forms()
        .forEach(
            (type, form) ->
                forms.put(
                    type,
                    form instanceof byte[] bytes
                        ? Base64.getEncoder().encodeToString(bytes)
                        : String.valueOf(form)));
    try {
      return result.newInstance(forms, false, id);
    } catch (ReflectiveOperationException e) {
      throw failed(e);
    }
  }

  private static void call(Method method, @Nullable Object... arguments) {
    Object on = arguments[0];
    try {
      method.invoke(on, arguments[1], arguments[2]);
    } catch (ReflectiveOperationException e) {
      throw failed(e);
    }
  }

  private static IllegalStateException failed(ReflectiveOperationException e) {
    Throwable cause = e instanceof InvocationTargetException ? e.getCause() : e;
    return new IllegalStateException("the kernel cannot show this: " + cause, cause);
  }
}
