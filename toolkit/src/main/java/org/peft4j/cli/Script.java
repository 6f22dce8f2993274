package org.peft4j.cli;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;
import org.peft4j.shell.Failure;
import org.peft4j.shell.Session;

/** A file of snippets; the first that fails ends it. */
final class Script {
  private final Path file;
  private final Session session;
  private final @Nullable PrintStream feedback;

  /**
   * @param feedback prints the value of each snippet, as a prompt does; null for a script that
   *     prints what it prints itself
   */
  Script(Path file, Session session, @Nullable PrintStream feedback) {
    this.file = file;
    this.session = session;
    this.feedback = feedback;
  }

  /** Runs it with {@code String[] args} declared. */
  boolean run(List<String> arguments) throws IOException {
    session.evaluate(
        "String[] args = {"
            + arguments.stream().map(Json::line).collect(Collectors.joining(", "))
            + "};");
    return run();
  }

  /** Runs it; false where it failed, which standard error then says. */
  boolean run() throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new IllegalArgumentException(
          file + ": no such file\nexpected: a file of Java snippets");
    }
    Failure failure =
        session
            .evaluate(
                Files.readString(file),
                f -> {
                  if (feedback != null && !f.toString().isEmpty()) {
                    feedback.println(f);
                  }
                })
            .failure();
    if (failure != null) {
      System.err.println(file + ":" + Math.max(1, failure.line()) + ": " + failure.message());
    }
    return failure == null;
  }
}
