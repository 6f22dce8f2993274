package org.peft4j.model;

import java.util.ArrayList;
import java.util.List;

/** A described model as an indented table. */
final class TreeText {
  private static final int WIDTH = 100;
  private static final int LONGEST_NAME = 42;
  private static final int NUMBERS_FROM = 4;

  private TreeText() {}

  private static final List<String> HEADER =
      List.of("module", "role", "shape", "type", "parameters", "memory", "");

  static String of(String title, Described root) {
    List<List<String>> rows = new ArrayList<>();
    rows.add(HEADER);
    for (Described d : tops(root)) {
      add(rows, d, 0);
    }
    int[] widths = new int[HEADER.size()];
    for (List<String> row : rows) {
      for (int c = 0; c < widths.length; c++) {
        widths[c] = Math.max(widths[c], row.get(c).length());
      }
    }
    StringBuilder out = new StringBuilder(title);
    rows.forEach(row -> out.append('\n').append(line(row, widths)));
    return out.toString();
  }

  /** The root itself only where it has a tensor of its own. */
  private static List<Described> tops(Described root) {
    return root.shape().isEmpty() && root.note().isEmpty() && !root.inside().isEmpty()
        ? root.inside()
        : List.of(root);
  }

  private static void add(List<List<String>> rows, Described d, int depth) {
    rows.add(
        List.of(
            shortened(
                "  ".repeat(depth) + (d.name().isEmpty() ? "(model)" : d.label()), LONGEST_NAME),
            d.what(),
            d.shape(),
            d.dtype(),
            d.parameters() == 0 ? "" : Description.count(d.parameters()),
            Description.memory(d.bytes()),
            d.note()));
    d.inside().forEach(c -> add(rows, c, depth + 1));
  }

  private static String line(List<String> row, int[] widths) {
    StringBuilder line = new StringBuilder();
    for (int c = 0; c < widths.length; c++) {
      if (widths[c] == 0) {
        continue;
      }
      String pad = " ".repeat(widths[c] - row.get(c).length());
      boolean number = c == NUMBERS_FROM || c == NUMBERS_FROM + 1;
      line.append(c == 0 ? "" : "  ").append(number ? pad + row.get(c) : row.get(c) + pad);
    }
    return shortened(line.toString().stripTrailing(), WIDTH);
  }

  private static String shortened(String text, int length) {
    return text.length() <= length ? text : text.substring(0, length - 3) + "...";
  }
}
