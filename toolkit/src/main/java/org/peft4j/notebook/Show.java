package org.peft4j.notebook;

import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.peft4j.train.Fit;

/**
 * What a notebook types to have something seen: pictures and tables where the front end has them,
 * text elsewhere.
 */
public final class Show {
  private Show() {}

  /** A value of any kind, as {@link Rendering} has it. */
  public static void it(@Nullable Object value) {
    Displays.current().show(Rendering.of(value));
  }

  /** A chart. */
  public static void chart(Chart chart) {
    it(chart);
  }

  /** The loss of a run. */
  public static void chart(Fit fit) {
    it(Charts.loss(fit));
  }

  /** A table. */
  public static void table(Table table) {
    it(table);
  }

  /** Records of one type, a column for each component. */
  public static void table(List<? extends Record> records) {
    it(Table.of(records));
  }

  /**
   * Values beside each other, each under its name: {@code sideBySide("before", a, "after", b)}.
   *
   * @throws IllegalArgumentException when they are not pairs of a name and a value
   */
  public static void sideBySide(@Nullable Object... namesAndValues) {
    List<String> names = new ArrayList<>();
    List<@Nullable Object> values = new ArrayList<>();
    for (int i = 0; i < namesAndValues.length; i++) {
      if (i % 2 == 1) {
        values.add(namesAndValues[i]);
      } else if (namesAndValues[i] instanceof String name) {
        names.add(name);
      }
    }
    if (names.isEmpty() || names.size() != values.size()) {
      throw new IllegalArgumentException(
          "sideBySide\nexpected: a name and a value, a name and a value, ...\nfound: "
              + List.of(namesAndValues));
    }
    Displays.current().show(beside(names, values));
  }

  private static Rich beside(List<String> names, List<@Nullable Object> values) {
    StringBuilder html = new StringBuilder("<div class=\"beside\">");
    Table text = Table.of(names.toArray(String[]::new));
    text = text.row(values.stream().map(v -> Rendering.of(v).toString()).toArray());
    for (int i = 0; i < names.size(); i++) {
      html.append("<div>")
          .append(Html.block("title", names.get(i)))
          .append(Rendering.inline(values.get(i)))
          .append("</div>");
    }
    return Rich.text(text.toString()).with(Rich.HTML, Html.page(html + "</div>"));
  }

  /**
   * Where generated text goes as it is written, into one output that grows: {@code
   * tuned.generator().stream(Show.text("after")).chat("Who?")}. Each call begins a new output.
   *
   * @param title what stands above it
   */
  public static Consumer<String> text(String title) {
    String id = UUID.randomUUID().toString();
    Display display = Displays.current();
    StringBuilder all = new StringBuilder();
    return piece -> {
      all.append(piece);
      String head = title.isEmpty() ? "" : title + ": ";
      display.update(
          id,
          Rich.text(head + all)
              .with(
                  Rich.HTML,
                  Html.page(
                      (title.isEmpty() ? "" : Html.block("title", title))
                          + Html.block("text", all.toString()))));
    };
  }
}
