package org.peft4j.shell;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * Lines that are no Java: {@code %help} or {@code /help}, the same in a terminal and a notebook.
 */
final class Commands {
  private record Command(String arguments, String purpose, UnaryOperator<String> body) {}

  private final Map<String, Command> all = new LinkedHashMap<>();
  private final Session session;

  Commands(Session session) {
    this.session = session;
    put("help", "", "this list", a -> help());
    put("vars", "", "variables and their values", a -> String.join("\n", session.variables()));
    put("imports", "", "what is imported", a -> String.join("\n", session.imports()));
    put("trace", "", "where the last exception came from", a -> trace());
    put(
        "maven",
        " GROUP:ARTIFACT:VERSION",
        "add a library of Maven Central and what it needs",
        this::maven);
    put("jar", " PATH", "add a jar or a folder of classes", this::jar);
  }

  private void put(String name, String arguments, String purpose, UnaryOperator<String> body) {
    all.put(name, new Command(arguments, purpose, body));
  }

  static boolean isCommand(String text) {
    return text.matches("(?s)[%/][a-zA-Z]*.*") && !text.startsWith("//") && !text.startsWith("/*");
  }

  /** Commands that begin like {@code typed}, sign included. */
  List<String> starting(String typed) {
    return all.keySet().stream()
        .map(n -> typed.charAt(0) + n)
        .filter(n -> n.startsWith(typed))
        .toList();
  }

  /**
   * Runs a line; what it has to say.
   *
   * @throws IllegalArgumentException if it is wrong
   */
  String run(String line) {
    String[] words = line.substring(1).strip().split("\\s+", 2);
    Command c = all.get(words[0]);
    if (c == null) {
      List<String> near = Nearest.of(words[0], all.keySet(), 1);
      throw new IllegalArgumentException(
          "no command "
              + line.charAt(0)
              + words[0]
              + "\nexpected: "
              + String.join(", ", all.keySet())
              + (near.isEmpty() ? "" : "\nfix: " + line.charAt(0) + near.get(0)));
    }
    String argument = words.length > 1 ? words[1] : "";
    if (argument.isEmpty() != c.arguments.isEmpty()) {
      throw new IllegalArgumentException(
          line + "\nexpected: " + line.charAt(0) + words[0] + c.arguments);
    }
    return c.body.apply(argument);
  }

  private String help() {
    StringBuilder s = new StringBuilder();
    all.forEach((n, c) -> s.append(String.format("%%%-30s %s%n", n + c.arguments, c.purpose)));
    s.append(
        "Each can be written with / too. Tab completes names; Peft. and then Tab shows all methods.");
    return s.toString();
  }

  private String trace() {
    String trace = session.trace();
    return trace == null ? "no exception yet" : trace;
  }

  private String maven(String coordinate) {
    List<Path> jars = MavenLibraries.resolve(coordinate);
    jars.forEach(session::add);
    return "added "
        + coordinate
        + (jars.size() == 1 ? "" : " with " + (jars.size() - 1) + " other jars");
  }

  private String jar(String path) {
    Path jar =
        Path.of(path.startsWith("~/") ? System.getProperty("user.home") + path.substring(1) : path);
    if (!Files.exists(jar)) {
      throw new IllegalArgumentException(
          jar.toAbsolutePath() + ": not there\nexpected: a jar or a folder of classes");
    }
    session.add(jar);
    return "added " + jar;
  }
}
