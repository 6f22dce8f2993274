package org.peft4j.data;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/** What data sets print in a shell. */
final class Tables {
  private static final int TOP = 5;
  private static final int ROWS = 2;
  private static final int WIDTH = 72;

  private Tables() {}

  static String of(Examples data) {
    StringBuilder out = new StringBuilder();
    out.append("%,d examples, %d labels".formatted(data.size(), data.labels().size()));
    List<Map.Entry<String, Integer>> top =
        data.counts().entrySet().stream()
            .sorted(Map.Entry.<String, Integer>comparingByValue(Comparator.reverseOrder()))
            .limit(TOP)
            .toList();
    int width = width(top.stream().map(Map.Entry::getKey).toList());
    for (Map.Entry<String, Integer> e : top) {
      out.append(
          "\n  %-"
              .concat(width + "s %,8d %5.1f %%")
              .formatted(shorten(e.getKey()), e.getValue(), 100.0 * e.getValue() / data.size()));
    }
    if (data.labels().size() > TOP) {
      out.append("\n  and %d more".formatted(data.labels().size() - TOP));
    }
    data.stream()
        .limit(ROWS)
        .forEach(row -> out.append("\n%s: %s".formatted(data.label(row), shorten(row.text()))));
    return out.toString();
  }

  static String of(Conversations data) {
    long chats = data.stream().filter(row -> row instanceof Conversation.Chat).count();
    StringBuilder out = new StringBuilder();
    out.append("%,d rows: %,d chats, %,d texts".formatted(data.size(), chats, data.size() - chats));
    data.stream().limit(ROWS).forEach(row -> out.append("\n").append(of(row)));
    return out.toString();
  }

  private static String of(Conversation row) {
    return row instanceof Conversation.Chat c
        ? c.messages().stream()
            .map(m -> "%s: %s".formatted(m.role(), shorten(m.content())))
            .collect(Collectors.joining("\n  "))
        : shorten(row.opening());
  }

  static String distribution(Splits splits) {
    List<Examples> parts = List.of(splits.train(), splits.validation(), splits.test());
    int width = Math.max(3, width(splits.labels()));
    StringBuilder out = new StringBuilder(" ".repeat(width));
    out.append("            train       validation             test\n");
    row(out, width, "all", parts, Examples::size);
    for (String label : splits.labels()) {
      row(out, width, label, parts, part -> part.counts().getOrDefault(label, 0));
    }
    return out.toString().stripTrailing();
  }

  private static void row(
      StringBuilder out,
      int width,
      String name,
      List<Examples> parts,
      Function<Examples, Integer> count) {
    out.append("%-".concat(width + "s").formatted(shorten(name)));
    for (Examples part : parts) {
      int n = count.apply(part);
      out.append(" %,8d %5.1f %%".formatted(n, 100.0 * n / part.size()));
    }
    out.append('\n');
  }

  private static int width(List<String> names) {
    return names.stream().mapToInt(name -> shorten(name).length()).max().orElse(1);
  }

  private static String shorten(String text) {
    String line = Spaces.single(text);
    return line.length() <= WIDTH ? line : line.substring(0, WIDTH - 3) + "...";
  }
}
