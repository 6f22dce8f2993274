package org.peft4j.notebook;

import java.util.List;
import java.util.Locale;

/**
 * Small pieces of HTML that read well on light and dark pages: nothing has a background of its own,
 * and lines take the colour of the text. Every piece is well-formed XML.
 */
final class Html {
  private static final String STYLE =
      """
      <style>
      .peft4j { font: 13.5px/1.5 system-ui, sans-serif; max-width: 66em; }
      .peft4j table { border-collapse: collapse; margin: .5em 0; font-variant-numeric: tabular-nums; }
      .peft4j tr { background: none !important; }
      .peft4j th, .peft4j td { padding: .25em .9em .25em 0; border: 0; text-align: left; \
      vertical-align: top; white-space: normal; \
      border-bottom: 1px solid rgba(128, 128, 128, .25); }
      .peft4j th { font-weight: 600; border-bottom-color: rgba(128, 128, 128, .7); }
      .peft4j .number { text-align: right; padding-left: .9em; }
      .peft4j .quiet { opacity: .7; }
      .peft4j .title { font-weight: 600; }
      .peft4j .text { white-space: pre-wrap; overflow-wrap: anywhere; }
      .peft4j .code { font-family: ui-monospace, monospace; font-size: .93em; }
      .peft4j .bar { height: 7px; border-radius: 4px; background: rgba(128, 128, 128, .22); \
      max-width: 46em; margin: .45em 0; overflow: hidden; }
      .peft4j .bar div { height: 100%; min-width: 3px; background: #3b82c4; border-radius: 4px; }
      .peft4j .beside { display: flex; flex-wrap: wrap; gap: 1.2em 2em; align-items: flex-start; }
      .peft4j .beside > div { flex: 1 1 18em; min-width: 0; }
      .peft4j summary { cursor: pointer; }
      .peft4j img { max-width: 100%; }
      </style>
      """;

  private Html() {}

  /** Text with everything escaped that means something in HTML. */
  static String escaped(String text) {
    StringBuilder out = new StringBuilder(text.length() + 16);
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '&' -> out.append("&amp;");
        case '<' -> out.append("&lt;");
        case '>' -> out.append("&gt;");
        case '"' -> out.append("&quot;");
        case '\'' -> out.append("&#39;");
        default -> out.append(c < ' ' && c != '\n' && c != '\t' ? '\uFFFD' : c);
      }
    }
    return out.toString();
  }

  /** A whole output: the style, and {@code body} as it is. */
  static String page(String body) {
    return "<div class=\"peft4j\">" + STYLE + body + "</div>";
  }

  /** A block of escaped text in a class of the style. */
  static String block(String style, String text) {
    return "<div class=\"" + style + "\">" + escaped(text) + "</div>";
  }

  /** A bar filled by a share in [0, 1]. */
  static String bar(double share) {
    return String.format(
        Locale.ROOT,
        "<div class=\"bar\"><div style=\"width:%.2f%%\"></div></div>",
        100 * Math.max(0, Math.min(1, share)));
  }

  /** A part that is unfolded by a click. */
  static String folded(String summary, String body) {
    return "<details><summary class=\"quiet\">"
        + escaped(summary)
        + "</summary>"
        + body
        + "</details>";
  }

  /** A table of escaped cells; columns of numbers are set right. */
  static String table(List<String> header, List<List<String>> rows, boolean[] numbers) {
    StringBuilder out = new StringBuilder("<table><thead>");
    row(out, "th", header, numbers);
    out.append("</thead><tbody>");
    rows.forEach(r -> row(out, "td", r, numbers));
    return out.append("</tbody></table>").toString();
  }

  private static void row(StringBuilder out, String tag, List<String> cells, boolean[] numbers) {
    out.append("<tr>");
    for (int i = 0; i < cells.size(); i++) {
      out.append('<')
          .append(tag)
          .append(numbers[i] ? " class=\"number\">" : ">")
          .append(escaped(cells.get(i)))
          .append("</")
          .append(tag)
          .append('>');
    }
    out.append("</tr>");
  }
}
