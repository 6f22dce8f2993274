package org.peft4j.ipynb;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import jdk.jshell.EvalException;
import jdk.jshell.JShell;
import jdk.jshell.JShellException;
import jdk.jshell.Snippet;
import jdk.jshell.SnippetEvent;
import jdk.jshell.SourceCodeAnalysis;
import jdk.jshell.SourceCodeAnalysis.CompletionInfo;
import org.jspecify.annotations.Nullable;

/** Cells in JShell, in this process, with the imports that {@code ./peft jshell} has. */
public final class JShellEvaluator implements Evaluator, AutoCloseable {
  private static volatile @Nullable Object handed;

  private final JShell shell = JShell.builder().executionEngine("local").build();

  public JShellEvaluator() throws IOException {
    String surefire = System.getProperty("surefire.test.class.path");
    shell.addToClasspath(surefire == null ? System.getProperty("java.class.path") : surefire);
    try (InputStream in =
        Objects.requireNonNull(getClass().getResourceAsStream("/org/peft4j/shell/startup.jsh"))) {
      run("import java.util.*;\n" + new String(in.readAllBytes(), StandardCharsets.UTF_8));
    }
  }

  /** Called by snippets to hand their value over. */
  public static void hand(@Nullable Object value) {
    handed = value;
  }

  @Override
  public @Nullable Object run(String code) {
    String rest = code;
    Object value = null;
    while (!rest.isBlank()) {
      CompletionInfo info = shell.sourceCodeAnalysis().analyzeCompletion(rest);
      if (info.completeness() == SourceCodeAnalysis.Completeness.EMPTY) {
        break; // comments to the end
      }
      if (!info.completeness().isComplete()) {
        throw new IllegalArgumentException("not complete: " + rest);
      }
      value = value(eval(info.source()));
      rest = info.remaining();
    }
    return value;
  }

  private Snippet eval(String source) {
    List<SnippetEvent> events = shell.eval(source);
    for (SnippetEvent e : events) {
      if (e.exception() != null) {
        throw new IllegalStateException(source + "\nthrows " + told(e.exception()), e.exception());
      }
      if (e.status() == Snippet.Status.REJECTED) {
        StringBuilder why = new StringBuilder();
        shell.diagnostics(e.snippet()).forEach(d -> why.append(d.getMessage(Locale.ROOT)));
        throw new IllegalArgumentException(source + "\nis rejected: " + why);
      }
    }
    return events.get(0).snippet();
  }

  private static String told(JShellException e) {
    return e instanceof EvalException x
        ? x.getExceptionClassName() + ": " + x.getMessage()
        : String.valueOf(e.getMessage());
  }

  private @Nullable Object value(Snippet snippet) {
    String name =
        snippet.subKind() == Snippet.SubKind.TEMP_VAR_EXPRESSION_SUBKIND
            ? ((jdk.jshell.VarSnippet) snippet).name()
            : snippet.subKind() == Snippet.SubKind.VAR_VALUE_SUBKIND
                ? ((jdk.jshell.ExpressionSnippet) snippet).name()
                : "";
    if (name.isEmpty()) {
      return null;
    }
    eval(JShellEvaluator.class.getName() + ".hand(" + name + ");");
    Object value = handed;
    handed = null;
    return value;
  }

  @Override
  public void close() {
    shell.close();
  }

  /** Writes notebooks as pages: {@code FOLDER FILE...}. */
  public static void main(String[] args) throws IOException {
    for (String file : List.of(args).subList(1, args.length)) {
      try (JShellEvaluator evaluator = new JShellEvaluator()) {
        Execution done = Execution.of(Ipynb.read(java.nio.file.Path.of(file)), evaluator);
        java.nio.file.Path page = Page.write(done, java.nio.file.Path.of(args[0]));
        System.out.printf(Locale.ROOT, "%s, %.0f s%n", page, done.seconds());
        for (Execution.Ran ran : done.cells()) {
          if (ran.cell().isCode()) {
            String first = ran.cell().source().lines().findFirst().orElse("");
            System.out.printf(Locale.ROOT, "  %6.1f s  %s%n", ran.seconds(), first);
            ran.outputs()
                .forEach(
                    o -> System.out.println("      | " + o.toString().replace("\n", "\n      | ")));
          }
        }
      }
    }
    System.exit(0);
  }
}
