package org.peft4j.kernel;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.dflib.jjava.jupyter.kernel.KernelConnectionProperties;
import org.peft4j.notebook.Displays;
import org.peft4j.shell.Session;

/** Starts the kernel: {@code java ... org.peft4j.kernel.Launch connection_file}. */
public final class Launch {
  private Launch() {}

  public static void main(String[] args) throws Exception {
    Locale.setDefault(Locale.ROOT);
    if (args.length != 1) {
      System.err.println(
          "expected: the connection file that Jupyter writes\nfix: ./peft notebook --install, then choose peft4j in Jupyter");
      System.exit(2);
    }
    KernelConnectionProperties properties =
        KernelConnectionProperties.parse(Files.readString(Path.of(args[0])));
    try (Session session = Session.forNotebook();
        Connection connection = new Connection(properties)) {
      Kernel kernel = new Kernel(session);
      Displays.use(kernel.display());
      kernel.becomeHandlerForConnection(connection);
      connection.connect();
      connection.waitUntilClose();
    }
    System.exit(0); // whatever threads cells have left
  }
}
