package org.peft4j;

import static org.assertj.core.api.Assertions.assertThat;

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
    try (var in = ReadmeTest.class.getResourceAsStream("/org/peft4j/cli/startup.jsh")) {
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

  /**
   * The values of the expressions that are not declarations, one below the other, as JShell would
   * show them.
   */
  private static String run(JShell shell, String code) {
    StringBuilder printed = new StringBuilder();
    SourceCodeAnalysis analysis = shell.sourceCodeAnalysis();
    String rest = code;
    while (!rest.isBlank()) {
      SourceCodeAnalysis.CompletionInfo info = analysis.analyzeCompletion(rest);
      String snippet = info.source() == null ? rest : info.source();
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
        boolean expression =
            e.snippet().kind() == Snippet.Kind.VAR
                && e.snippet().subKind() == Snippet.SubKind.TEMP_VAR_EXPRESSION_SUBKIND;
        if (expression && e.value() != null && !snippet.strip().endsWith(";")) {
          printed.append(e.value()).append('\n');
        }
      }
      rest = info.remaining();
    }
    return printed.toString();
  }

  /** Figures that depend on the machine stand as #; counts of parameters stay. */
  private static String shape(String text) {
    return text.strip()
        .replaceAll("\\d+\\.\\d+(e[-+]?\\d+)?( ?%)?", "#")
        .replaceAll("[ \\t]+", " ")
        .replaceAll("(?m)^ | $", "");
  }
}
