package org.peft4j.ipynb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.notebook.Displays;
import org.peft4j.notebook.Rich;
import org.peft4j.notebook.Show;
import org.peft4j.notebook.Table;

/** Notebook files, run and written as pages. */
@Tag("fast")
class PageTest {
  @TempDir Path dir;

  private static Ipynb notebook(Ipynb.Cell... cells) {
    return new Ipynb("page", "java", List.of(cells));
  }

  private static Ipynb.Cell text(String markdown) {
    return new Ipynb.Cell(false, markdown);
  }

  private static Ipynb.Cell code(String source) {
    return new Ipynb.Cell(true, source);
  }

  @Test
  void a_notebook_is_read_whatever_form_its_sources_have() throws IOException {
    Path file = dir.resolve("n.ipynb");
    Files.writeString(
        file,
        """
        {"nbformat": 4, "nbformat_minor": 5,
         "metadata": {"kernelspec": {"language": "java"}},
         "cells": [{"cell_type": "markdown", "source": ["# A title\\n", "text"]},
                   {"cell_type": "raw", "source": "no"},
                   {"cell_type": "code", "source": "1 + 1"}]}
        """);
    Ipynb read = Ipynb.read(file);

    assertThat(read.title()).isEqualTo("A title");
    assertThat(read.language()).isEqualTo("java");
    assertThat(read.code()).containsExactly("1 + 1");
    assertThat(read.cells()).hasSize(2);
  }

  @Test
  void another_file_is_refused_with_what_was_expected() throws IOException {
    Path file = dir.resolve("n.ipynb");
    Files.writeString(file, "{\"nbformat\": 3}");

    assertThatThrownBy(() -> Ipynb.read(file)).hasMessageContaining("nbformat 4");
  }

  @Test
  void values_prints_and_updates_are_outputs_in_their_order() {
    Execution done =
        Execution.of(
            notebook(code("x")),
            c -> {
              System.out.println("printed");
              Displays.current().update("a", Rich.text("first"));
              Show.it(Table.of("t").row(1));
              Displays.current().update("a", Rich.text("last"));
              return "value";
            });

    assertThat(done.outputs())
        .extracting(o -> o.toString().strip().lines().findFirst().orElse("").strip())
        .containsExactly("printed", "last", "t", "value");
  }

  @Test
  void a_cell_that_fails_is_named() {
    assertThatThrownBy(
            () ->
                Execution.of(
                    notebook(code("boom()")),
                    c -> {
                      throw new IOException("why");
                    }))
        .hasMessage("a cell of page fails: why\nboom()");
  }

  @Test
  void pages_have_code_outputs_and_formulas_escaped() {
    Execution done =
        Execution.of(
            notebook(text("# A & B\n\nWith $a_1 < b_1$ and `$x$`."), code("f(\"<\") // 1")),
            c -> "<out>");
    String html = Page.html(done);

    assertThat(html)
        .contains("<title>A &amp; B</title>")
        .contains("$a_1 &lt; b_1$", "<code>$x$</code>")
        .contains("<span class=\"string\">\"&lt;\"</span>")
        .contains("<span class=\"comment\">// 1</span>")
        .contains("<pre>&lt;out&gt;</pre>")
        .contains("prefers-color-scheme: dark");
  }

  @Test
  void the_script_for_formulas_lies_beside_the_pages() {
    Page.write(Execution.of(notebook(text("x")), c -> null), dir);

    assertThat(dir.resolve("mathjax.js")).isNotEmptyFile();
    assertThat(dir.resolve("page.html")).content().contains("src=\"mathjax.js\"");
  }

  @Test
  void a_session_hands_values_over_and_refuses_mistakes() {
    try (SessionEvaluator shell = new SessionEvaluator()) {
      assertThat(shell.run("int x = 20;\nx + 1")).isEqualTo(21);
      assertThat(shell.run("x")).isEqualTo(20);
      assertThat(shell.run("// nothing")).isNull();
      assertThatThrownBy(() -> shell.run("nonsense()")).hasMessageContaining("nonsense");
      assertThatThrownBy(() -> shell.run("int y = 1 / 0;")).hasMessageContaining("by zero");
    }
  }
}
