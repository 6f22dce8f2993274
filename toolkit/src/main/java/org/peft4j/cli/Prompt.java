package org.peft4j.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jline.reader.Candidate;
import org.jline.reader.CompletingParsedLine;
import org.jline.reader.EOFError;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.ParsedLine;
import org.jline.reader.Parser;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;
import org.peft4j.notebook.Progress;
import org.peft4j.shell.Completions;
import org.peft4j.shell.Failure;
import org.peft4j.shell.Session;
import org.peft4j.tensor.CacheHome;

/**
 * Reads snippets and shows what they come to: at a terminal with line editing, history and
 * completion; from a pipe line by line. The session opens while the first line is typed.
 */
final class Prompt implements AutoCloseable {
  private final PrintStream out = System.out;
  private final CompletableFuture<Session> opening = new CompletableFuture<>();

  /** A prompt on standard input and output. */
  Prompt() {
    Thread opener = new Thread(this::open, "session");
    opener.setDaemon(true);
    opener.start();
  }

  private void open() {
    try {
      opening.complete(Session.open());
    } catch (RuntimeException | Error e) {
      opening.completeExceptionally(e);
    }
  }

  Session session() {
    try {
      return opening.join();
    } catch (CompletionException e) {
      throw e.getCause() instanceof RuntimeException r ? r : e;
    }
  }

  /** Until the end of input or {@code /exit}. */
  void run() throws IOException {
    if (!Progress.isTerminal()) {
      runPlain();
      return;
    }
    try (Terminal terminal = TerminalBuilder.builder().system(true).dumb(true).build()) {
      boolean isTerminal = !terminal.getType().startsWith(Terminal.TYPE_DUMB);
      if (isTerminal) {
        runInteractive(terminal);
        return;
      }
    }
    runPlain();
  }

  private void runPlain() throws IOException {
    BufferedReader lines =
        new BufferedReader(
            new InputStreamReader(System.in, java.nio.charset.Charset.defaultCharset()));
    StringBuilder pending = new StringBuilder();
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      pending.append(line).append('\n');
      if (isExit(pending.toString())) {
        return;
      }
      if (session().completeness(pending.toString()) != Session.Completeness.INCOMPLETE) {
        evaluate(pending.toString());
        pending.setLength(0);
      }
    }
    if (!pending.toString().isBlank()) {
      evaluate(pending.toString());
    }
  }

  private void runInteractive(Terminal terminal) throws IOException {
    Path history = CacheHome.path().resolve("jshell.history");
    Files.createDirectories(CacheHome.path());
    LineReader reader =
        LineReaderBuilder.builder()
            .terminal(terminal)
            .appName("peft4j")
            .parser(new WholeSnippets())
            .completer((r, line, candidates) -> complete(line, candidates))
            .variable(LineReader.HISTORY_FILE, history)
            .variable(LineReader.SECONDARY_PROMPT_PATTERN, "   ...> ")
            .variable(LineReader.INDENTATION, 2)
            .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true)
            .option(LineReader.Option.INSERT_TAB, false)
            .build();
    terminal.handle(Terminal.Signal.INT, s -> session().interrupt());
    out.println("peft4j in JShell: Tab completes, /help says more, Ctrl-D leaves.");
    while (true) {
      try {
        String code = reader.readLine("jshell> ");
        if (isExit(code)) {
          return;
        }
        evaluate(code);
      } catch (UserInterruptException e) {
        // Ctrl-C while typing: the line is given up
      } catch (EndOfFileException e) {
        return;
      }
    }
  }

  private static boolean isExit(String code) {
    return code.strip().matches("[/%]exit");
  }

  private void evaluate(String code) {
    Failure failure =
        session()
            .evaluate(
                code,
                f -> {
                  if (!f.toString().isEmpty()) {
                    out.println(f);
                  }
                })
            .failure();
    if (failure != null) {
      out.println(failure.message());
      if (!failure.trace().isEmpty()) {
        out.println("(/trace shows where it came from)");
      }
    }
    out.flush();
  }

  private void complete(ParsedLine line, List<Candidate> candidates) {
    Completions c = session().complete(line.line(), line.cursor());
    int wordStart = line.cursor() - line.wordCursor();
    String kept = line.line().substring(wordStart, Math.max(wordStart, c.from()));
    for (String text : c.texts()) {
      boolean opens = text.endsWith("(");
      candidates.add(
          new Candidate(kept + text, opens ? text + ")" : text, null, null, null, null, false));
    }
  }

  @Override
  public void close() {
    if (opening.isDone() && !opening.isCompletedExceptionally()) {
      opening.join().close();
    }
  }

  /** One line of input is whole when JShell says so; a word ends where a Java name ends. */
  private final class WholeSnippets implements Parser {
    @Override
    public ParsedLine parse(String line, int cursor, ParseContext context) {
      if (context == ParseContext.ACCEPT_LINE
          && !isExit(line)
          && session().completeness(line) == Session.Completeness.INCOMPLETE) {
        throw new EOFError(-1, cursor, "incomplete");
      }
      int start = cursor;
      while (start > 0 && isPartOfWord(line.charAt(start - 1))) {
        start--;
      }
      return new Word(line, cursor, start);
    }
  }

  private static boolean isPartOfWord(char c) {
    return Character.isJavaIdentifierPart(c) || c == '/' || c == '%';
  }

  /** The name at the cursor. */
  private record Word(String line, int cursor, int start) implements CompletingParsedLine {
    @Override
    public String word() {
      return line.substring(start, cursor);
    }

    @Override
    public int wordCursor() {
      return cursor - start;
    }

    @Override
    public int wordIndex() {
      return 0;
    }

    @Override
    public CharSequence escape(CharSequence candidate, boolean complete) {
      return candidate;
    }

    @Override
    public int rawWordCursor() {
      return wordCursor();
    }

    @Override
    public int rawWordLength() {
      return wordCursor();
    }

    @Override
    public List<String> words() {
      return List.of(word());
    }
  }
}
