package org.peft4j.shell;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdk.jshell.Diag;
import jdk.jshell.SourceCodeAnalysis;

/**
 * What the compiler says about a piece of code: its words, the line, a mark under it, and names
 * that look like the one it does not know.
 */
final class Diagnosis {
  private static final Pattern SYMBOL =
      Pattern.compile("symbol:\\s+(?:method|variable|class) (\\w+)");
  private static final int SUGGESTED = 3;

  private final SourceCodeAnalysis analysis;

  Diagnosis(SourceCodeAnalysis analysis) {
    this.analysis = analysis;
  }

  /**
   * @param source the snippet the compiler saw
   * @param cell the whole code
   * @param start where the snippet begins in it
   */
  Failure of(List<Diag> diagnostics, String source, String cell, int start) {
    StringBuilder message = new StringBuilder();
    int line = 0;
    for (Diag d : diagnostics) {
      if (!d.isError()) {
        continue;
      }
      int at = start + clamp(d.getStartPosition(), source.length());
      int end = start + clamp(d.getEndPosition(), source.length());
      if (line == 0) {
        line = Cell.lineOf(cell, at);
      } else {
        message.append('\n');
      }
      message.append("error: ").append(words(d)).append('\n').append(marked(cell, at, end));
      String near = suggestions(d, source);
      if (!near.isEmpty()) {
        message.append("\nfix: did you mean ").append(near).append('?');
      }
    }
    return Failure.of(
        Failure.Kind.COMPILE,
        message.isEmpty() ? "error: not understood\n" + source.strip() : message.toString(),
        line);
  }

  private static int clamp(long position, int length) {
    return (int) Math.max(0, Math.min(position, length));
  }

  private static String words(Diag d) {
    List<String> kept = new ArrayList<>();
    for (String line : d.getMessage(Locale.ROOT).lines().toList()) {
      if (!line.strip().equals("location: class")) { // that of the snippet: JShell's own business
        kept.add(line.replaceAll("\\bREPL\\.\\$JShell\\$\\w+\\.", ""));
      }
    }
    return String.join("\n", kept);
  }

  /** The line of a place, with a mark under it from there to the end of the line at most. */
  private static String marked(String cell, int at, int end) {
    int from = cell.lastIndexOf('\n', Math.max(0, at - 1)) + 1;
    if (at < cell.length() && cell.charAt(at) == '\n' && at > 0) {
      from = cell.lastIndexOf('\n', at - 1) + 1;
    }
    int to = cell.indexOf('\n', at);
    String line = cell.substring(Math.min(from, cell.length()), to < 0 ? cell.length() : to);
    int width = Math.min(end, from + line.length()) - at;
    String under =
        line.substring(0, Math.min(line.length(), at - from)).replaceAll("[^\\t]", " ")
            + (width > 1 ? "^" + "-".repeat(width - 2) + "^" : "^");
    int number = Cell.lineOf(cell, at);
    String head = cell.strip().indexOf('\n') < 0 ? "" : number + " | ";
    return head + line + "\n" + " ".repeat(head.length()) + under;
  }

  private String suggestions(Diag d, String source) {
    Matcher symbol = SYMBOL.matcher(d.getMessage(Locale.ROOT));
    if (!symbol.find()) {
      return "";
    }
    String name = symbol.group(1);
    int at = source.indexOf(name, clamp(d.getPosition(), source.length()));
    if (at < 0) {
      return "";
    }
    // from its first letter on where that gives too much: all classes that can be imported
    int typed = at > 0 && source.charAt(at - 1) == '.' ? 0 : 1;
    String before = source.substring(0, at + typed);
    List<String> known =
        analysis.completionSuggestions(before, before.length(), new int[1]).stream()
            .map(s -> s.continuation().replaceAll("[^\\w$].*", ""))
            .distinct()
            .toList();
    return String.join(", ", Nearest.of(name, known, SUGGESTED));
  }
}
