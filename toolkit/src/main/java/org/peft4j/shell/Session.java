package org.peft4j.shell;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import jdk.jshell.EvalException;
import jdk.jshell.JShell;
import jdk.jshell.Snippet;
import jdk.jshell.SnippetEvent;
import jdk.jshell.SourceCodeAnalysis;
import jdk.jshell.VarSnippet;
import jdk.jshell.spi.ExecutionControl;
import jdk.jshell.spi.ExecutionControlProvider;
import jdk.jshell.spi.ExecutionEnv;
import org.jspecify.annotations.Nullable;

/**
 * Code evaluated piece by piece in this process, with the toolkit's classes on the class path and
 * its names imported. One piece at a time; {@link #interrupt} comes from another thread. Close it
 * at the end.
 */
public final class Session implements AutoCloseable {
  private static final String STARTUP = "startup.jsh";

  private final InProcess control = new InProcess(classPath());
  private final ReentrantLock evaluating = new ReentrantLock();
  private final Interruption interruption = new Interruption(control);
  private final JShell shell;
  private final SourceCodeAnalysis analysis;
  private final Commands commands;
  private final boolean keepsValues;
  private final Set<String> jars = new LinkedHashSet<>();
  private boolean started;
  private @Nullable Failure lastFailure;

  private Session(boolean keepsValues) {
    this.keepsValues = keepsValues;
    AtomicInteger own = new AtomicInteger();
    AtomicInteger typed = new AtomicInteger();
    shell =
        JShell.builder()
            .executionEngine(new Provider(control), Map.of())
            // so that what is typed first has number 1
            .idGenerator(
                (snippet, i) ->
                    started ? "" + typed.incrementAndGet() : "s" + own.incrementAndGet())
            .build();
    shell.addToClasspath(classPath()); // as a compiler option it would hide what is added later
    analysis = shell.sourceCodeAnalysis();
    commands = new Commands(this);
    startup().forEach(shell::eval);
    started = true;
  }

  /**
   * A session for a terminal: the value of an expression stays in a variable {@code $1}, {@code
   * $2}, ...
   *
   * @throws IllegalStateException where this Java has no compiler
   */
  public static Session open() {
    return open(true);
  }

  /**
   * A session for a notebook, where cells run again and again: values of expressions are not kept,
   * so that a variable is all that holds them.
   */
  public static Session forNotebook() {
    return open(false);
  }

  private static Session open(boolean keepsValues) {
    if (ModuleLayer.boot().findModule("jdk.jshell").isEmpty()) {
      throw new IllegalStateException(
          "no JShell in "
              + System.getProperty("java.home")
              + "\nexpected: a JDK\nfix: point JAVA_HOME at a JDK 17 or newer, not at a runtime (JRE)");
    }
    return new Session(keepsValues);
  }

  private static String classPath() {
    // surefire's own class path is one jar that names the others
    return System.getProperty(
        "surefire.test.class.path", System.getProperty("java.class.path", ""));
  }

  private static List<String> startup() {
    try (InputStream in =
        Objects.requireNonNull(Session.class.getResourceAsStream(STARTUP), STARTUP)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** Evaluates snippets and commands, until one fails. */
  public Outcome evaluate(String code) {
    return evaluate(code, f -> {});
  }

  /**
   * Evaluates snippets and commands, until one fails.
   *
   * @param listener hears of each snippet when it is done
   */
  public Outcome evaluate(String code, Consumer<? super Feedback> listener) {
    evaluating.lock();
    try {
      interruption.reset();
      List<Feedback> done = new ArrayList<>();
      Cell cell = new Cell(analysis, code);
      Failure failure = null;
      for (Cell.Part p = cell.next(); p != null && failure == null; p = cell.next()) {
        if (interruption.isAsked()) {
          failure = Failure.of(Failure.Kind.INTERRUPTED, "interrupted; the rest was not run", 0);
          break;
        }
        int before = done.size();
        failure = p.isCommand() ? command(p, done, code) : snippet(p, done, code);
        done.subList(before, done.size()).forEach(listener);
      }
      if (failure != null && failure.kind() == Failure.Kind.EXCEPTION) {
        lastFailure = failure;
      }
      return new Outcome(done, failure);
    } finally {
      evaluating.unlock();
    }
  }

  private @Nullable Failure command(Cell.Part part, List<Feedback> done, String code) {
    try {
      done.add(Feedback.note(commands.run(part.source())));
      return null;
    } catch (IllegalArgumentException | IllegalStateException e) {
      return Failure.of(Failure.Kind.COMMAND, Failure.sentence(e), Cell.lineOf(code, part.start()));
    }
  }

  private @Nullable Failure snippet(Cell.Part part, List<Feedback> done, String code) {
    int line = Cell.lineOf(code, part.start());
    if (part.completeness() == SourceCodeAnalysis.Completeness.DEFINITELY_INCOMPLETE) {
      return Failure.of(
          Failure.Kind.INCOMPLETE,
          "error: the end is missing: a bracket, quote or semicolon\n"
              + part.source().strip().lines().findFirst().orElse(""),
          line);
    }
    List<SnippetEvent> events =
        shell.eval(part.source()).stream().filter(e -> e.causeSnippet() == null).toList();
    InProcess.Run run = control.takeLast();
    for (SnippetEvent e : events) {
      if (e.status() == Snippet.Status.REJECTED) {
        return new Diagnosis(analysis)
            .of(shell.diagnostics(e.snippet()).toList(), part.source(), code, part.start());
      }
      letGo(e);
      Failure failure = failure(e, run, line);
      if (failure != null) {
        return failure;
      }
      boolean isOne = events.size() == 1;
      Feedback f = Reports.of(shell, e, isOne && run != null ? run.value : null);
      if (f != null) {
        done.add(f);
      }
      if (!keepsValues && Reports.isTemporary(e.snippet())) {
        String name = ((VarSnippet) e.snippet()).name();
        shell.drop(e.snippet());
        control.forgetOlder(name, null);
      }
    }
    return null;
  }

  /** A variable declared anew is all that its name holds. */
  private void letGo(SnippetEvent e) {
    if (e.snippet() instanceof VarSnippet v && shell.status(v) == Snippet.Status.VALID) {
      control.forgetOlder(v.name(), () -> shell.varValue(v));
    }
  }

  private @Nullable Failure failure(SnippetEvent e, InProcess.@Nullable Run run, int line) {
    Throwable thrown = run == null ? null : run.thrown;
    if (interruption.isAsked() && (interruption.hasStopped() || thrown != null)) {
      return Failure.of(Failure.Kind.INTERRUPTED, "interrupted", line);
    }
    if (e.exception() == null) {
      return null;
    }
    if (thrown != null && e.exception() instanceof EvalException) {
      return Failure.of(thrown, line + offset(e));
    }
    return Reports.unresolved(shell, e.exception(), line);
  }

  /** Lines from the beginning of the snippet to where the exception passed through it. */
  private static int offset(SnippetEvent e) {
    String file = "#" + e.snippet().id();
    for (StackTraceElement frame : Objects.requireNonNull(e.exception()).getStackTrace()) {
      if (file.equals(frame.getFileName()) && frame.getLineNumber() > 0) {
        return frame.getLineNumber() - 1;
      }
    }
    return 0;
  }

  /**
   * Asks the evaluation under way, if there is one, to end: its thread is interrupted, on which a
   * training run ends after its step with what it has. What has not ended two seconds later is
   * stopped where it is, but for training; a second call stops that too.
   */
  public void interrupt() {
    interruption.ask();
  }

  /** JShell's compiler is for one thread at a time. */
  private <T> T alone(Supplier<T> work) {
    evaluating.lock();
    try {
      return work.get();
    } finally {
      evaluating.unlock();
    }
  }

  /** Whether code could be evaluated as it is, needs more lines, or never will be right. */
  public enum Completeness {
    COMPLETE,
    INCOMPLETE,
    INVALID
  }

  /** What is to be thought of code before it is evaluated. */
  public Completeness completeness(String code) {
    return alone(() -> judge(code));
  }

  private Completeness judge(String code) {
    Cell cell = new Cell(analysis, code);
    for (Cell.Part p = cell.next(); p != null; p = cell.next()) {
      switch (p.completeness()) {
        case DEFINITELY_INCOMPLETE -> {
          return Completeness.INCOMPLETE;
        }
        case UNKNOWN -> {
          return Completeness.INVALID;
        }
        default -> {} // that part is there
      }
    }
    return Completeness.COMPLETE;
  }

  /**
   * What may stand at {@code cursor}.
   *
   * @param cursor characters before it
   */
  public Completions complete(String code, int cursor) {
    return alone(() -> completions(code, cursor));
  }

  private Completions completions(String code, int cursor) {
    String before = code.substring(0, cursor);
    int start = startOfLast(before);
    if (start < cursor && Commands.isCommand(before.substring(start))) {
      return new Completions(commands.starting(before.substring(start)), start, cursor);
    }
    String snippet = before.substring(start);
    int[] anchor = {snippet.length()};
    List<SourceCodeAnalysis.Suggestion> found =
        analysis.completionSuggestions(snippet, snippet.length(), anchor);
    List<String> texts =
        Stream.concat(
                found.stream().filter(SourceCodeAnalysis.Suggestion::matchesType),
                found.stream().filter(s -> !s.matchesType()))
            .map(SourceCodeAnalysis.Suggestion::continuation)
            .distinct()
            .toList();
    return new Completions(texts, start + anchor[0], cursor);
  }

  /** Where the snippet that is typed at the end of {@code code} begins. */
  private int startOfLast(String code) {
    Cell cell = new Cell(analysis, code);
    int start = code.length();
    for (Cell.Part p = cell.next(); p != null; p = cell.next()) {
      start = p.start();
    }
    boolean ended = code.stripTrailing().endsWith(";") || code.endsWith("\n");
    return ended && completeness(code) == Completeness.COMPLETE ? code.length() : start;
  }

  /**
   * Signatures and documentation of what stands at {@code cursor}: all methods of a name, a class,
   * or a variable. Empty where there is nothing.
   *
   * @param cursor characters before it
   */
  public List<Documented> inspect(String code, int cursor) {
    return alone(() -> documented(code, cursor));
  }

  private List<Documented> documented(String code, int cursor) {
    int end = cursor;
    while (end < code.length() && Character.isJavaIdentifierPart(code.charAt(end))) {
      end++;
    }
    boolean inName = end > 0 && Character.isJavaIdentifierPart(code.charAt(end - 1));
    if (inName && end < code.length() && code.charAt(end) == '(') {
      end++;
    }
    String before = code.substring(0, end);
    String snippet = before.substring(startOfLast(before));
    List<Documented> found = Inspection.of(analysis, snippet);
    return found.isEmpty() && inName && !snippet.endsWith("(")
        ? Inspection.of(analysis, snippet + "(")
        : found;
  }

  /** Adds a jar or a folder of classes to what code can use. */
  public void add(Path jar) {
    String path = jar.toAbsolutePath().toString();
    if (jars.add(path)) {
      shell.addToClasspath(path);
    }
  }

  /** Declared variables, as {@code type name = value}. */
  public List<String> variables() {
    return shell
        .variables()
        .map(v -> Reports.shorter(v.typeName()) + " " + v.name() + " = " + shell.varValue(v))
        .toList();
  }

  /** What is imported. */
  public List<String> imports() {
    return shell.imports().map(i -> i.source().strip()).toList();
  }

  /** The stack of the last exception; null where there was none. */
  public @Nullable String trace() {
    return lastFailure == null ? null : lastFailure.traceOrNull();
  }

  @Override
  public void close() {
    interruption.close();
    shell.close();
  }

  /** Gives JShell the one execution control of this session. */
  private record Provider(ExecutionControl control) implements ExecutionControlProvider {
    @Override
    public String name() {
      return "peft4j";
    }

    @Override
    public ExecutionControl generate(ExecutionEnv env, Map<String, String> parameters) {
      return control;
    }
  }
}
