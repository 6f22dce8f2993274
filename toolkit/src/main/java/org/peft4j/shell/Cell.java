package org.peft4j.shell;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdk.jshell.SourceCodeAnalysis;
import jdk.jshell.SourceCodeAnalysis.Completeness;
import org.jspecify.annotations.Nullable;

/** Code of any number of snippets and commands, taken apart from its beginning. */
final class Cell {
  private static final Pattern COMMAND = Pattern.compile("[ \\t]*([%/][a-zA-Z?!][^\\n]*)(\\n|$)");

  private static final Pattern LATER_COMMAND = Pattern.compile("(?m)^%[a-z]");
  private static final Pattern SPACE = Pattern.compile("(?s)(\\s+|//[^\\n]*|/\\*.*?\\*/)+");

  /** Its next part. */
  record Part(String source, int start, boolean isCommand, Completeness completeness) {}

  private final SourceCodeAnalysis analysis;
  private final String text;
  private int position;

  Cell(SourceCodeAnalysis analysis, String text) {
    this.analysis = analysis;
    this.text = text;
  }

  /** The next part; null at the end. */
  @Nullable Part next() {
    skipSpace();
    if (position == text.length()) {
      return null;
    }
    int start = position;
    Matcher command = COMMAND.matcher(text).region(position, text.length());
    if (command.lookingAt()) {
      position = command.end();
      return new Part(command.group(1).strip(), start, true, Completeness.COMPLETE);
    }
    Matcher later = LATER_COMMAND.matcher(text).region(start, text.length());
    int end = later.find() ? later.start() : text.length(); // or % would divide by it
    SourceCodeAnalysis.CompletionInfo info = analysis.analyzeCompletion(text.substring(start, end));
    Completeness c = info.completeness();
    if (c == Completeness.EMPTY) {
      position = end;
      return next();
    }
    String source = info.source();
    boolean whole = source != null && (c.isComplete() || c == Completeness.CONSIDERED_INCOMPLETE);
    if (source == null || !whole) {
      position = end;
      return new Part(text.substring(start, end), start, false, c);
    }
    position = end - info.remaining().length();
    return new Part(source, start, false, c);
  }

  private void skipSpace() {
    Matcher space = SPACE.matcher(text).region(position, text.length());
    if (space.lookingAt()) {
      position = space.end();
    }
  }

  String text() {
    return text;
  }

  /** The line of a place, from 1. */
  static int lineOf(String text, int position) {
    return 1
        + (int)
            text.substring(0, Math.min(position, text.length()))
                .chars()
                .filter(c -> c == '\n')
                .count();
  }
}
