package org.peft4j.kernel;

import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.rapaio.jupyter.kernel.MainApp;
import org.rapaio.jupyter.kernel.channels.Channels;
import org.rapaio.jupyter.kernel.channels.LoopThread;
import org.rapaio.jupyter.kernel.core.ConnectionProperties;
import org.rapaio.jupyter.kernel.core.Transform;

/**
 * Starts rapaio's kernel as its own {@code MainApp} does, with less in its log, and past two races
 * of its version 3.0.1, after either of which it never answers: a request that comes before its
 * table of handlers is there ends the thread that reads (here such a request finds no handler, and
 * Jupyter asks again), and a thread that reads ends at once where it runs before it is marked as
 * running (here it is started again).
 */
public final class RapaioLaunch {
  private static final int SETTLED_MILLIS = 200;

  private RapaioLaunch() {}

  public static void main(String[] args) throws Exception {
    Logger.getLogger("").setLevel(Level.OFF); // it calls a request without a handler severe
    ConnectionProperties properties =
        Transform.fromJson(Files.readString(Path.of(args[0])), ConnectionProperties.class);
    Channels channels = new Channels(properties);
    set(channels, "handlers", new HashMap<>());
    channels.connect(MainApp.kernel);
    Thread.sleep(SETTLED_MILLIS);
    for (String reader : List.of("shell", "control", "heartbeat")) {
      revive(get(channels, reader));
    }
    channels.joinUntilClose();
  }

  private static void revive(Object channel) throws ReflectiveOperationException {
    LoopThread thread = (LoopThread) get(channel, "loopThread");
    if (!thread.isAlive()) {
      LoopThread again =
          new LoopThread(
              thread.getName(), (Long) get(thread, "sleep"), (Runnable) get(thread, "loopBody"));
      set(again, "running", true);
      set(channel, "loopThread", again);
      again.start();
    }
  }

  private static Object get(Object of, String field) throws ReflectiveOperationException {
    return accessible(of, field).get(of);
  }

  private static void set(Object of, String field, Object value)
      throws ReflectiveOperationException {
    accessible(of, field).set(of, value);
  }

  private static Field accessible(Object of, String name) throws ReflectiveOperationException {
    Field field = of.getClass().getDeclaredField(name);
    field.setAccessible(true);
    return field;
  }
}
