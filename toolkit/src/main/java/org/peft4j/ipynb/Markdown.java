package org.peft4j.ipynb;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.commonmark.ext.gfm.tables.TablesExtension;
import org.commonmark.parser.Parser;
import org.commonmark.renderer.html.HtmlRenderer;

/**
 * Markdown as Jupyter reads it: CommonMark with tables, and formulas between dollars that are kept
 * as they are for the page to set.
 */
final class Markdown {
  private static final Pattern FORMULA =
      Pattern.compile(
          "(?<fence>```.*?```|`[^`\n]+`)|\\$\\$.+?\\$\\$|\\$[^$\\s](?:[^$\n]*[^$\\s])?\\$",
          Pattern.DOTALL);
  private static final Pattern PLACE = Pattern.compile("\uE000(\\d+)\uE001");
  private static final List<TablesExtension> EXTENSIONS =
      List.of((TablesExtension) TablesExtension.create());
  private static final Parser PARSER = Parser.builder().extensions(EXTENSIONS).build();
  private static final HtmlRenderer RENDERER =
      HtmlRenderer.builder().extensions(EXTENSIONS).build();

  private Markdown() {}

  static String html(String markdown) {
    List<String> formulas = new ArrayList<>();
    String kept =
        FORMULA
            .matcher(markdown)
            .replaceAll(
                m -> {
                  if (m.group().startsWith("`")) {
                    return Matcher.quoteReplacement(m.group());
                  }
                  formulas.add(m.group());
                  return "\uE000" + (formulas.size() - 1) + "\uE001";
                });
    String html = RENDERER.render(PARSER.parse(kept));
    return PLACE
        .matcher(html)
        .replaceAll(
            m ->
                Matcher.quoteReplacement(
                    formulas
                        .get(Integer.parseInt(m.group(1)))
                        .replace("&", "&amp;")
                        .replace("<", "&lt;")
                        .replace(">", "&gt;")));
  }
}
