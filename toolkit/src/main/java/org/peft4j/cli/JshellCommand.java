package org.peft4j.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Java typed line by line, with the toolkit's class path and imports. */
@Command(
    name = "jshell",
    description =
        "Type Java line by line, with class path and imports ready. /help there says what else there is.",
    mixinStandardHelpOptions = true)
final class JshellCommand implements Callable<Integer> {
  @Parameters(arity = "0..*", paramLabel = "FILE", description = "Snippets to run first.")
  private List<Path> files = List.of();

  @Override
  public Integer call() throws IOException {
    try (Prompt prompt = new Prompt()) {
      for (Path file : files) {
        if (!new Script(file, prompt.session(), System.out).run()) {
          return 1;
        }
      }
      prompt.run();
      return 0;
    }
  }
}
