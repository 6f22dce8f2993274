package org.peft4j.ipynb;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;

/**
 * A Jupyter notebook (nbformat 4): its cells and the language of its code.
 *
 * @param name of its file, without the ending
 * @param language such as {@code java}
 */
public record Ipynb(String name, String language, List<Cell> cells) {
  /** One cell: text in Markdown, or code. */
  public record Cell(boolean isCode, String source) {}

  public Ipynb {
    cells = List.copyOf(cells);
  }

  /**
   * Reads a file.
   *
   * @throws IllegalArgumentException that names the file and what is wrong with it
   */
  public static Ipynb read(Path file) {
    try {
      return of(file, Json.read(file));
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  private static Ipynb of(Path file, Map<String, @Nullable Object> json) {
    if (!Long.valueOf(4).equals(json.get("nbformat"))
        || !(json.get("cells") instanceof List<?> list)) {
      throw new IllegalArgumentException(
          file
              + "\nexpected: a notebook of nbformat 4 with cells\nfound: nbformat "
              + json.get("nbformat")
              + "\nfix: open and save it in a current Jupyter");
    }
    List<Cell> cells = new ArrayList<>();
    for (Object o : list) {
      if (o instanceof Map<?, ?> cell && !"raw".equals(cell.get("cell_type"))) {
        cells.add(new Cell("code".equals(cell.get("cell_type")), text(cell.get("source"))));
      }
    }
    String name = String.valueOf(file.getFileName()).replaceFirst("\\.ipynb$", "");
    return new Ipynb(name, language(json), cells);
  }

  private static String language(Map<String, @Nullable Object> json) {
    return json.get("metadata") instanceof Map<?, ?> meta
            && meta.get("kernelspec") instanceof Map<?, ?> spec
            && spec.get("language") instanceof String language
        ? language
        : "";
  }

  private static String text(@Nullable Object source) {
    return source instanceof List<?> lines
        ? lines.stream().map(String::valueOf).collect(Collectors.joining())
        : String.valueOf(source);
  }

  /** The first heading, or the name of the file. */
  public String title() {
    return cells.stream()
        .filter(c -> !c.isCode())
        .flatMap(c -> c.source().lines())
        .filter(l -> l.startsWith("# "))
        .map(l -> l.substring(2).strip())
        .findFirst()
        .orElse(name);
  }

  /** Its cells of code, in order. */
  public List<String> code() {
    return cells.stream().filter(Cell::isCode).map(Cell::source).toList();
  }
}
