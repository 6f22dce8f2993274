package org.peft4j.model;

/** A described model as a tree to unfold, with its style and without a script. */
final class TreeHtml {
  private static final String STYLE =
      """
      <style>
      .peft4j-tree { font-family: monospace; font-size: 13px; line-height: 1.5; }
      .peft4j-tree details, .peft4j-tree div.leaf { margin-left: 1.4em; }
      .peft4j-tree summary { cursor: pointer; }
      .peft4j-tree .quiet { opacity: 0.65; }
      .peft4j-tree .note { color: #b35900; }
      </style>
      """;

  private final StringBuilder out = new StringBuilder();

  String of(String title, Described root) {
    out.append("<div class=\"peft4j-tree\">\n").append(STYLE);
    out.append("<div>").append(escaped(title).replace("\n", "<br/>")).append("</div>\n");
    if (root.inside().isEmpty() || !root.shape().isEmpty()) {
      add(root, 0);
    } else {
      root.inside().forEach(d -> add(d, 0));
    }
    return out.append("</div>\n").toString();
  }

  /** The first two levels are open, and whatever leads to a note. */
  private void add(Described d, int depth) {
    if (d.inside().isEmpty()) {
      out.append("<div class=\"leaf\">");
      line(d);
      out.append("</div>\n");
      return;
    }
    out.append(depth < 2 || hasNote(d) ? "<details open=\"open\">" : "<details>")
        .append("<summary>");
    line(d);
    out.append("</summary>\n");
    d.inside().forEach(c -> add(c, depth + 1));
    out.append("</details>\n");
  }

  private static boolean hasNote(Described d) {
    return d.inside().stream().anyMatch(c -> !c.note().isEmpty() || hasNote(c));
  }

  private void line(Described d) {
    out.append("<b>").append(escaped(d.name().isEmpty() ? "(model)" : d.label())).append("</b>");
    span("quiet", d.what());
    span("", d.shape());
    span("quiet", d.dtype());
    span("", d.parameters() == 0 ? "" : Description.count(d.parameters()));
    span("quiet", Description.memory(d.bytes()));
    span("note", d.note());
  }

  private void span(String style, String text) {
    if (!text.isEmpty()) {
      out.append(style.isEmpty() ? " <span>" : " <span class=\"" + style + "\">")
          .append(escaped(text))
          .append("</span>");
    }
  }

  private static String escaped(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;")
        .replace("'", "&#39;");
  }
}
