package org.peft4j.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Opens JShell with the toolkit's class path and imports. */
@Command(
    name = "jshell",
    description = "Open JShell with class path and imports ready.",
    mixinStandardHelpOptions = true)
final class JshellCommand implements Callable<Integer> {
  private static final List<String> PASSED_ON =
      List.of(
          "org.slf4j.simpleLogger.defaultLogLevel",
          "java.awt.headless",
          "PEFT4J_HOME",
          "PEFT4J_PROGRESS");

  @Parameters(arity = "0..*", paramLabel = "FILE", description = "Snippets to run first.")
  private List<Path> files = List.of();

  @Override
  public Integer call() throws IOException, InterruptedException {
    boolean windows = System.getProperty("os.name", "").startsWith("Windows");
    Path jshell =
        Path.of(System.getProperty("java.home"), "bin", windows ? "jshell.exe" : "jshell");
    if (!Files.exists(jshell)) {
      throw new IllegalStateException(
          "no JShell in "
              + System.getProperty("java.home")
              + "\nexpected: a JDK\nfix: point JAVA_HOME at a JDK 17 or newer, not at a runtime (JRE)");
    }
    Path startup = resource("startup.jsh");
    Path settings = resource("settings.jsh"); // modes exist after the start only
    try {
      List<String> command =
          new ArrayList<>(
              List.of(jshell.toString(), "--class-path", System.getProperty("java.class.path")));
      command.addAll(List.of("--startup", "DEFAULT", "--startup", startup.toString()));
      for (String property : PASSED_ON) {
        String value = System.getProperty(property);
        if (value != null) {
          command.add("-R-D" + property + "=" + value);
        }
      }
      command.add(settings.toString());
      files.forEach(f -> command.add(f.toString()));
      return new ProcessBuilder(command).inheritIO().start().waitFor();
    } finally {
      Files.deleteIfExists(startup);
      Files.deleteIfExists(settings);
    }
  }

  private static Path resource(String name) throws IOException {
    Path copy = Files.createTempFile("peft4j", ".jsh");
    try (InputStream in =
        Objects.requireNonNull(
            JshellCommand.class.getResourceAsStream("/org/peft4j/cli/" + name))) {
      Files.write(copy, in.readAllBytes());
      return copy;
    }
  }
}
