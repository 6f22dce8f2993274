package org.peft4j.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import org.peft4j.shell.Session;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Runs a file of snippets. */
@Command(
    name = "run",
    description = "Run a .jsh file: Java without a class around it, the toolkit imported.",
    mixinStandardHelpOptions = true)
final class RunCommand implements Callable<Integer> {
  @Parameters(index = "0", paramLabel = "FILE", description = "Snippets to run.")
  private Path file = Path.of("");

  @Parameters(
      index = "1..*",
      arity = "0..*",
      paramLabel = "ARG",
      description = "What the script sees as String[] args.")
  private List<String> arguments = List.of();

  @Override
  public Integer call() throws IOException {
    try (Session session = Session.open()) {
      return new Script(file, session, null).run(arguments) ? 0 : 1;
    }
  }
}
