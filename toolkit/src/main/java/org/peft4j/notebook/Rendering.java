package org.peft4j.notebook;

import java.awt.image.BufferedImage;
import java.awt.image.RenderedImage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jfree.chart.JFreeChart;
import org.jspecify.annotations.Nullable;
import org.peft4j.adapter.Conversion;
import org.peft4j.adapter.PeftModel;
import org.peft4j.data.Conversations;
import org.peft4j.data.Examples;
import org.peft4j.data.Splits;
import org.peft4j.data.WordNet;
import org.peft4j.export.Exported;
import org.peft4j.generate.Generated;
import org.peft4j.model.Description;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.Comparison;
import org.peft4j.spi.Fluent;
import org.peft4j.train.Fit;
import org.peft4j.train.Metrics;

/** How values are shown: each in its best forms, plain text always among them. */
public final class Rendering {
  private static final int MOST = 100;
  private static final String MORE = " ...";

  private Rendering() {}

  /** The forms of a value of any kind. */
  public static Rich of(@Nullable Object value) {
    if (value instanceof Rich rich) {
      return rich;
    }
    if (value instanceof Chart chart) {
      return Rich.text(chart.toString())
          .with(Rich.PNG, Chart.png(chart.picture()))
          .with(Rich.SVG, chart.svg());
    }
    if (value instanceof JFreeChart chart) {
      BufferedImage picture =
          chart.createBufferedImage(
              Chart.WIDTH, Chart.HEIGHT, BufferedImage.TYPE_INT_ARGB, /* info= */ null);
      return Rich.text("chart")
          .with(Rich.PNG, Chart.png(picture))
          .with(Rich.SVG, Chart.svg(chart, Chart.WIDTH, Chart.HEIGHT));
    }
    if (value instanceof RenderedImage image) {
      return Rich.text("picture, " + image.getWidth() + " x " + image.getHeight())
          .with(Rich.PNG, Chart.png(pixels(image)));
    }
    String html = html(value);
    Rich text = Rich.text(text(value));
    return html == null ? text : text.with(Rich.HTML, Html.page(html));
  }

  /** A type and how its values look as HTML. */
  private record Look<T>(Class<T> type, Function<? super T, @Nullable String> html) {
    @Nullable String of(Object value) {
      return html.apply(type.cast(value));
    }
  }

  private static final List<Look<?>> LOOKS =
      List.of(
          new Look<>(Table.class, Table::html),
          new Look<>(Fluent.class, Cards::of),
          new Look<>(PeftModel.class, Cards::of),
          new Look<>(Pretrained.class, Cards::of),
          new Look<>(Fit.class, Cards::of),
          new Look<>(Metrics.class, Cards::of),
          new Look<>(Description.class, Description::toHtml),
          new Look<>(Comparison.class, Cards::of),
          new Look<>(Exported.class, Cards::of),
          new Look<>(Generated.class, Cards::of),
          new Look<>(
              Conversion.Report.class, r -> Html.block("title", r.toString()) + table(r.sites())),
          new Look<>(Splits.class, s -> Html.block("title", s.toString()) + Cards.of(s.train())),
          new Look<>(
              WordNet.class,
              w ->
                  Html.block(
                          "text", w.toString().lines().limit(2).reduce("", (a, b) -> a + b + "\n"))
                      + Cards.of(w.examples())),
          new Look<>(Examples.class, e -> Html.block("title", first(e)) + Cards.of(e)),
          new Look<>(Conversations.class, c -> Html.block("title", first(c)) + Cards.of(c)),
          new Look<>(Map.class, m -> m.isEmpty() || m.size() > MOST ? null : Table.of(m).html()),
          new Look<>(List.class, Rendering::table));

  private static @Nullable String html(@Nullable Object value) {
    for (Look<?> look : LOOKS) {
      if (look.type.isInstance(value)) {
        return look.of(Objects.requireNonNull(value));
      }
    }
    return null;
  }

  /**
   * Types whose values are more than text here, for kernels that want to be told what to leave to
   * {@link #of}. Lists and maps are not among them: everybody shows those.
   */
  public static List<Class<?>> types() {
    return Stream.concat(
            Stream.of(Rich.class, Chart.class, JFreeChart.class, RenderedImage.class),
            LOOKS.stream().<Class<?>>map(Look::type).filter(t -> !t.getName().startsWith("java.")))
        .toList();
  }

  /** Whether a value is of one of {@link #types}, or a list of the toolkit's records. */
  public static boolean isOwn(@Nullable Object value) {
    if (value instanceof List<?> l) {
      return !l.isEmpty() && l.get(0) instanceof Record r && isOfToolkit(r) && table(l) != null;
    }
    return types().stream().anyMatch(t -> t.isInstance(value));
  }

  private static boolean isOfToolkit(Record record) {
    return record.getClass().getName().startsWith("org.peft4j.");
  }

  /** A table of a few records of one type; null for another list. */
  private static @Nullable String table(List<?> list) {
    List<Record> records = new ArrayList<>();
    for (Object o : list) {
      if (!(o instanceof Record r) || r.getClass() != list.get(0).getClass()) {
        return null;
      }
      records.add(r);
    }
    if (records.isEmpty()) {
      return null;
    }
    try {
      String more =
          records.size() > MOST
              ? Html.block("quiet", "and " + (records.size() - MOST) + " more")
              : "";
      return Table.of(records.subList(0, Math.min(MOST, records.size()))).html() + more;
    } catch (RuntimeException e) {
      return null; // records that nobody may read: their own text will do
    }
  }

  private static String first(Object value) {
    return value.toString().lines().findFirst().orElse("");
  }

  // ---- text

  private static String text(@Nullable Object value) {
    if (value instanceof List<?> l && !l.isEmpty() && l.get(0) instanceof Record) {
      StringBuilder out = new StringBuilder();
      l.stream().limit(MOST).forEach(o -> out.append(o).append('\n'));
      return out + (l.size() > MOST ? "and " + (l.size() - MOST) + " more" : "");
    }
    if (value != null && value.getClass().isArray()) {
      Object excerpt = Excerpt.of(value);
      String all = Arrays.deepToString(new Object[] {excerpt});
      String text = shortened(all.substring(1, all.length() - 1));
      return excerpt == value || text.endsWith(MORE) ? text : text + MORE;
    }
    return String.valueOf(value);
  }

  private static String shortened(String text) {
    int most = 2000;
    return text.length() <= most ? text : text.substring(0, most) + MORE;
  }

  // ---- pictures inside of HTML

  /** A value as a piece of HTML, charts as pictures; what has no HTML, as text. */
  static String inline(@Nullable Object value) {
    Rich rich = of(value);
    if (rich.form(Rich.HTML) instanceof String html) {
      return html;
    }
    if (rich.form(Rich.SVG) instanceof String svg) {
      return image("image/svg+xml", svg.getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }
    if (rich.form(Rich.PNG) instanceof byte[] png) {
      return image(Rich.PNG, png);
    }
    return Html.block("text", rich.toString());
  }

  static String image(String type, byte[] bytes) {
    return "<img alt=\"\" src=\"data:"
        + type
        + ";base64,"
        + Base64.getEncoder().encodeToString(bytes)
        + "\"/>";
  }

  private static BufferedImage pixels(RenderedImage image) {
    if (image instanceof BufferedImage b) {
      return b;
    }
    BufferedImage copy =
        new BufferedImage(image.getWidth(), image.getHeight(), BufferedImage.TYPE_INT_ARGB);
    copy.createGraphics().drawRenderedImage(image, null);
    return copy;
  }
}
