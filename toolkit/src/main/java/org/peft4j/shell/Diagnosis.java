package org.peft4j.shell;

import java.util.ArrayList;
import java.util.Comparator;
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
      Pattern.compile("symbol:\\s+(method|variable|class) (\\w+)");

  private static final Pattern PACKAGE = Pattern.compile("package ([\\w.]+) does not exist");
  private static final int SUGGESTED = 3;
  private static final int INDEX_MILLIS = 50;
  private static final int INDEX_TRIES = 60;

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
      String fix = fix(d, source);
      if (!fix.isEmpty()) {
        message.append("\nfix: ").append(fix);
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

  /** What to type instead; empty where nothing is known. */
  private String fix(Diag d, String source) {
    awaitIndex();
    Matcher missing = PACKAGE.matcher(d.getMessage(Locale.ROOT));
    if (missing.find()) {
      String name = missing.group(1);
      int last = name.lastIndexOf('.') + 1;
      String end = name.substring(last);
      return near(end, "import " + name.substring(0, last)).stream()
          .filter(n -> !n.equals(end))
          .findFirst()
          .map(n -> didYouMean(name.substring(0, last) + n))
          .orElse("%maven group:artifact:version adds a library, %jar FILE a jar");
    }
    Matcher symbol = SYMBOL.matcher(d.getMessage(Locale.ROOT));
    if (!symbol.find()) {
      return "";
    }
    String name = symbol.group(2);
    int at = source.indexOf(name, clamp(d.getPosition(), source.length()));
    if (at < 0) {
      return "";
    }
    boolean isMember = at > 0 && source.charAt(at - 1) == '.';
    if (!isMember) {
      List<String> classes =
          analysis
              .listQualifiedNames(source.substring(0, at) + name, at + name.length())
              .getNames();
      if (!classes.isEmpty()) {
        return "import " + String.join("; or import ", shortest(classes)) + ";";
      }
    }
    // from its first letter on where that gives too much: all classes that can be imported
    List<String> near = near(name, source.substring(0, at + (isMember ? 0 : 1)));
    if (near.isEmpty()) {
      return symbol.group(1).equals("variable") && !isMember
          ? "declare " + name + ", or run the code that does"
          : "";
    }
    return didYouMean(String.join(", ", near));
  }

  /** JShell lists the class path in the background, from its start on. */
  private void awaitIndex() {
    for (int i = 0; i < INDEX_TRIES; i++) {
      if (analysis.listQualifiedNames("A", 1).isUpToDate()) {
        return;
      }
      try {
        Thread.sleep(INDEX_MILLIS);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return;
      }
    }
  }

  private static String didYouMean(String names) {
    return "did you mean " + names + "?";
  }

  /** Those of Java and ours before those of libraries, and of each the shortest. */
  private static List<String> shortest(List<String> classes) {
    return classes.stream()
        .sorted(
            Comparator.comparing(
                    (String c) -> !c.startsWith("java.") && !c.startsWith("org.peft4j."))
                .thenComparing(String::length))
        .limit(SUGGESTED - 1)
        .toList();
  }

  /** Names like this one among those that may follow {@code before}. */
  private List<String> near(String name, String before) {
    List<String> known =
        analysis.completionSuggestions(before, before.length(), new int[1]).stream()
            .map(s -> s.continuation().replaceAll("[^\\w$].*", ""))
            .distinct()
            .toList();
    return Nearest.of(name, known, SUGGESTED);
  }
}
