package org.peft4j.shell;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;

/**
 * The comments of the toolkit's public classes and methods, from the index that the build makes of
 * its sources; read when they are first asked for.
 */
final class Javadocs {
  private static final String INDEX = "/META-INF/peft4j/javadoc.json";
  private static final Pattern VARIABLE = Pattern.compile("^\\w+:");
  private static final Pattern INLINE =
      Pattern.compile("\\{@(\\w+)\\s*((?:[^{}]|\\{(?:[^{}]|\\{[^{}]*\\})*\\})*)\\}");
  private static final Pattern TAG = Pattern.compile("(?m)^\\s*@(\\w+)\\s+");

  private Javadocs() {}

  /** Loaded once, by whoever comes first. */
  private static final class Index {
    /** By full name, and by the name without its package where only one package has it. */
    private static final Map<String, String> COMMENTS = read();

    private static Map<String, String> read() {
      Map<String, String> out = new HashMap<>();
      try (InputStream in = Javadocs.class.getResourceAsStream(INDEX)) {
        if (in == null) { // classes compiled without the build: signatures alone
          return out;
        }
        String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        Set<String> once = new HashSet<>();
        Set<String> more = new HashSet<>();
        if (Json.parse(text, INDEX) instanceof Map<?, ?> all) {
          all.forEach((key, comment) -> out.put((String) key, (String) comment));
          for (Object key : all.keySet()) {
            String shorter = Reports.shorter((String) key);
            if (!once.add(shorter)) {
              more.add(shorter);
            }
          }
          all.forEach(
              (key, comment) -> {
                String shorter = Reports.shorter((String) key);
                if (!more.contains(shorter)) {
                  out.put(shorter, (String) comment);
                }
              });
        }
        return out;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /**
   * The comment of what has this signature (in JShell's words), plain; empty where none is known.
   */
  static String of(String signature) {
    String key = key(signature);
    String comment = Index.COMMENTS.get(key);
    if (comment == null) {
      comment = Index.COMMENTS.get(Reports.shorter(key));
    }
    return comment == null ? "" : plain(comment);
  }

  /** {@code R a.B<R>.c(int d, e.F<G> h)} becomes {@code a.B.c(int,F)}. */
  private static String key(String signature) {
    String plain = withoutTypeArguments(VARIABLE.matcher(signature).replaceFirst(""));
    int open = plain.indexOf('(');
    int close = plain.lastIndexOf(')');
    if (open < 0 || close < open) {
      return plain.strip();
    }
    String head = plain.substring(0, open).strip();
    List<String> types = new ArrayList<>();
    for (String p : plain.substring(open + 1, close).split(",")) {
      String[] words = p.strip().split("\\s+");
      if (!words[0].isEmpty()) {
        types.add(Reports.shorter(words[words.length > 1 ? words.length - 2 : 0]));
      }
    }
    return head.substring(head.lastIndexOf(' ') + 1) + "(" + String.join(",", types) + ")";
  }

  private static String withoutTypeArguments(String text) {
    StringBuilder out = new StringBuilder();
    int depth = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      depth += c == '<' ? 1 : 0;
      if (depth == 0) {
        out.append(c);
      }
      depth -= c == '>' ? 1 : 0;
    }
    return out.toString();
  }

  /** A comment without its marks, in the lines it was written in. */
  static String plain(String comment) {
    String text = comment.replaceAll("(?m)^ ", "");
    Matcher tag = TAG.matcher(text);
    StringBuilder out = new StringBuilder();
    String last = null;
    int from = 0;
    while (tag.find()) {
      out.append(block(last, text.substring(from, tag.start())));
      last = tag.group(1);
      from = tag.end();
    }
    return out.append(block(last, text.substring(from))).toString().strip();
  }

  private static String block(@Nullable String tag, String written) {
    String text = inline(written).strip();
    if (tag == null) {
      return text + "\n";
    }
    return switch (tag) {
      case "param" -> "\n  " + text.replaceFirst("^(\\S+)\\s+", "$1: ");
      case "return" -> "\n  returns " + text;
      case "throws", "exception" -> "\n  throws " + text;
      default -> "";
    };
  }

  private static String inline(String text) {
    String out =
        INLINE
            .matcher(text)
            .replaceAll(m -> Matcher.quoteReplacement(content(m.group(1), m.group(2).strip())));
    return out.replaceAll("(?i)\\s*<p>\\s*", "\n\n")
        .replaceAll("(?i)\\s*<li>\\s*", "\n- ")
        .replaceAll("</?[a-zA-Z][^>]*>", "")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&nbsp;", " ")
        .replace("&amp;", "&");
  }

  private static String content(String tag, String text) {
    if (!tag.startsWith("link")) {
      return tag.equals("inheritDoc") ? "" : text;
    }
    Matcher target =
        Pattern.compile("([\\w.#]+(?:\\([^)]*\\))?)\\s*(.*)", Pattern.DOTALL).matcher(text);
    if (!target.matches()) {
      return text;
    }
    String label = target.group(2);
    return label.isEmpty() ? target.group(1).replaceFirst("^#", "").replace('#', '.') : label;
  }
}
