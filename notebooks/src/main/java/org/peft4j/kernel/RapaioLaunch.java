package org.peft4j.kernel;

import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.rapaio.jupyter.kernel.MainApp;
import org.rapaio.jupyter.kernel.channels.Channels;
import org.rapaio.jupyter.kernel.core.ConnectionProperties;
import org.rapaio.jupyter.kernel.core.Transform;

/**
 * Starts rapaio's kernel, as its own {@code MainApp} does but for two things. That one opens its
 * ports before it knows what to answer, and a request in between ends the thread that reads, for
 * good; here such a request finds no handler, and Jupyter asks again. And it logs warnings only.
 */
public final class RapaioLaunch {
  private RapaioLaunch() {}

  public static void main(String[] args) throws Exception {
    Logger.getLogger("").setLevel(Level.SEVERE);
    ConnectionProperties properties =
        Transform.fromJson(Files.readString(Path.of(args[0])), ConnectionProperties.class);
    Channels channels = new Channels(properties);
    try {
      Field handlers = Channels.class.getDeclaredField("handlers");
      handlers.setAccessible(true);
      handlers.set(channels, new HashMap<>());
    } catch (ReflectiveOperationException e) {
      // another version of it, which may need no help
    }
    channels.connect(MainApp.kernel);
    channels.joinUntilClose();
  }
}
