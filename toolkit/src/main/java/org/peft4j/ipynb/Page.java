package org.peft4j.ipynb;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.AtomicFiles;
import org.peft4j.notebook.Rich;

/**
 * A notebook that has been run as a page of HTML, light or dark as the reader has it. Formulas are
 * set by a script that is written beside the pages of a folder, once.
 */
public final class Page {
  private static final String SCRIPT = "mathjax.js";
  private static final String MATHJAX = "/META-INF/resources/webjars/mathjax/%s/es5/tex-svg.js";

  private Page() {}

  /**
   * Writes {@code NAME.html} into a folder, which is made if it is not there.
   *
   * @return the page
   */
  public static Path write(Execution execution, Path folder) {
    try {
      Files.createDirectories(folder);
      Path script = folder.resolve(SCRIPT);
      if (!Files.exists(script)) {
        writeScript(script);
      }
      Path page = folder.resolve(execution.notebook().name() + ".html");
      AtomicFiles.writeString(page, html(execution));
      return page;
    } catch (IOException e) {
      throw new UncheckedIOException(folder + ": cannot be written: " + e.getMessage(), e);
    }
  }

  /** Without the script, formulas stay as they are typed. */
  private static void writeScript(Path file) throws IOException {
    try (InputStream about =
        Page.class.getResourceAsStream("/META-INF/maven/org.webjars.npm/mathjax/pom.properties")) {
      if (about == null) {
        return;
      }
      java.util.Properties properties = new java.util.Properties();
      properties.load(about);
      try (InputStream in =
          Page.class.getResourceAsStream(
              String.format(Locale.ROOT, MATHJAX, properties.getProperty("version")))) {
        if (in != null) {
          AtomicFiles.writeBytes(file, in.readAllBytes());
        }
      }
    }
  }

  static String html(Execution execution) {
    StringBuilder out = new StringBuilder("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n");
    out.append("<meta charset=\"utf-8\">\n");
    out.append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    out.append("<meta name=\"color-scheme\" content=\"light dark\">\n");
    out.append("<title>").append(CodeHtml.escaped(execution.notebook().title()));
    out.append("</title>\n<style>\n").append(style()).append("</style>\n");
    out.append("<script>MathJax = {tex: {inlineMath: [['$', '$']]}};</script>\n");
    out.append("<script src=\"" + SCRIPT + "\" async></script>\n</head>\n<body>\n<main>\n");
    for (Execution.Ran ran : execution.cells()) {
      if (ran.cell().isCode()) {
        code(out, ran);
      } else {
        out.append("<section class=\"prose\">").append(Markdown.html(ran.cell().source()));
        out.append("</section>\n");
      }
    }
    return out.append("</main>\n</body>\n</html>\n").toString();
  }

  private static void code(StringBuilder out, Execution.Ran ran) {
    out.append("<section class=\"cell\">\n<pre class=\"code\">");
    out.append(CodeHtml.of(ran.cell().source().stripTrailing())).append("</pre>\n");
    for (Rich rich : ran.outputs()) {
      out.append("<div class=\"output\">").append(output(rich)).append("</div>\n");
    }
    out.append("</section>\n");
  }

  private static String output(Rich rich) {
    if (rich.form(Rich.HTML) instanceof String html) {
      return html;
    }
    if (rich.form(Rich.SVG) instanceof String svg) {
      return image(Rich.SVG, svg.getBytes(StandardCharsets.UTF_8), rich);
    }
    if (rich.form(Rich.PNG) instanceof byte[] png) {
      return image(Rich.PNG, png, rich);
    }
    return "<pre>" + CodeHtml.escaped(rich.toString()) + "</pre>";
  }

  private static String image(String type, byte[] bytes, Rich rich) {
    String title = rich.toString().lines().findFirst().orElse("").replace("\"", "&quot;");
    return "<img alt=\""
        + CodeHtml.escaped(title)
        + "\" src=\"data:"
        + type
        + ";base64,"
        + Base64.getEncoder().encodeToString(bytes)
        + "\">";
  }

  private static String style() {
    try (@Nullable InputStream in = Page.class.getResourceAsStream("page.css")) {
      return new String(
          Objects.requireNonNull(in, "page.css").readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
