package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import jdk.jshell.JShell;
import jdk.jshell.Snippet;
import jdk.jshell.SnippetEvent;
import jdk.jshell.SourceCodeAnalysis;
import jdk.jshell.VarSnippet;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs the Java of the README in JShell, block after block, and holds what it prints against what
 * the README says it prints.
 */
@Tag("model")
class ReadmeTest {
  private static final Path ROOT = Path.of(System.getProperty("peft4j.root", ".."));
  private static final Pattern BLOCK = Pattern.compile("(?ms)^```(java|text)\\n(.*?)^```");

  @TempDir Path dir;

  /** A block of Java and what the README shows as its output, empty if it shows none. */
  private record Session(String code, String output) {}

  private static List<Session> sessions() throws IOException {
    List<Session> out = new ArrayList<>();
    Matcher m = BLOCK.matcher(Files.readString(ROOT.resolve("README.md")));
    String code = null;
    while (m.find()) {
      if (m.group(1).equals("java")) {
        if (code != null) {
          out.add(new Session(code, ""));
        }
        code = m.group(2);
      } else if (code != null) {
        out.add(new Session(code, m.group(2)));
        code = null;
      }
    }
    if (code != null) {
      out.add(new Session(code, ""));
    }
    return out;
  }

  @TestFactory
  Stream<DynamicTest> every_session_works_as_printed() throws IOException {
    List<Session> sessions = sessions();
    assertThat(sessions).as("Java blocks in the README").isNotEmpty();
    JShell shell = JShell.builder().executionEngine("local").build();
    String classes =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    Stream.of(classes.split(File.pathSeparator)).forEach(shell::addToClasspath);
    for (String line : startup()) {
      run(shell, line);
    }
    return sessions.stream()
        .map(
            s ->
                DynamicTest.dynamicTest(
                    s.code().lines().findFirst().orElse(""), () -> check(shell, s)))
        .onClose(shell::close);
  }

  private static List<String> startup() throws IOException {
    try (var in = ReadmeTest.class.getResourceAsStream("/org/peft4j/shell/startup.jsh")) {
      return new String(in.readAllBytes(), java.nio.charset.StandardCharsets.UTF_8)
          .lines()
          .toList();
    }
  }

  private void check(JShell shell, Session session) {
    String code =
        session
            .code()
            .replace("Path.of(\"", "Path.of(\"" + dir.toString().replace("\\", "/") + "/");
    String printed = run(shell, code);
    if (!session.output().isBlank()) {
      assertThat(shape(printed)).isEqualTo(shape(session.output()));
    }
  }

  /** The values of expressions and declarations, one below the other, as JShell shows them. */
  private static String run(JShell shell, String code) {
    StringBuilder printed = new StringBuilder();
    SourceCodeAnalysis analysis = shell.sourceCodeAnalysis();
    StringBuilder pending = new StringBuilder();
    for (String line : code.lines().toList()) { // line by line, as somebody types it
      pending.append(line).append('\n');
      SourceCodeAnalysis.CompletionInfo info = analysis.analyzeCompletion(pending.toString());
      boolean whole =
          info.completeness().isComplete()
              || info.completeness() == SourceCodeAnalysis.Completeness.CONSIDERED_INCOMPLETE;
      if (pending.toString().isBlank() || whole) {
        evaluate(shell, pending.toString(), printed);
        pending.setLength(0);
      }
    }
    if (!pending.toString().isBlank()) {
      throw new IllegalStateException("not complete: " + pending);
    }
    return printed.toString();
  }

  private static void evaluate(JShell shell, String snippet, StringBuilder printed) {
    for (SnippetEvent e : shell.eval(snippet)) {
      if (e.exception() != null) {
        throw new IllegalStateException(
            "exception in: " + snippet + "\n" + e.exception().getMessage(), e.exception());
      }
      if (e.status() != Snippet.Status.VALID) {
        throw new IllegalStateException(
            "not accepted: "
                + snippet
                + "\n"
                + shell.diagnostics(e.snippet()).map(d -> d.getMessage(null)).toList());
      }
      if (e.snippet() instanceof VarSnippet variable && e.value() != null) {
        printed.append(variable.name()).append(" ==> ").append(e.value()).append('\n');
      }
    }
  }

  /** Figures that depend on the machine stand as #; counts of parameters stay. */
  private static String shape(String text) {
    return text.strip()
        .replaceAll("\\$\\d+ ==>", "\\$ ==>")
        .replaceAll("\\d+\\.\\d+(e[-+]?\\d+)?( ?%)?", "#")
        .replaceAll("[ \\t]+", " ")
        .replaceAll("(?m)^ | $", "");
  }
}
