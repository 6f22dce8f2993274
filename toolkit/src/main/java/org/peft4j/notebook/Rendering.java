package org.peft4j.notebook;

import java.awt.image.BufferedImage;
import java.awt.image.RenderedImage;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
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

  private static @Nullable String html(@Nullable Object value) {
    if (value instanceof Table t) {
      return t.html();
    } else if (value instanceof Fluent<?, ?, ?> f) {
      return Cards.of(f);
    } else if (value instanceof PeftModel m) {
      return Cards.of(m);
    } else if (value instanceof Pretrained p) {
      return Cards.of(p);
    } else if (value instanceof Fit f) {
      return Cards.of(f);
    } else if (value instanceof Metrics m) {
      return Cards.of(m);
    } else if (value instanceof Description d) {
      return d.toHtml();
    } else if (value instanceof Comparison c) {
      return Cards.of(c);
    } else if (value instanceof Exported e) {
      return Cards.of(e);
    } else if (value instanceof Generated g) {
      return Cards.of(g);
    } else if (value instanceof Conversion.Report r) {
      return Html.block("title", r.toString()) + table(r.sites());
    } else if (value instanceof Splits s) {
      return Html.block("title", s.toString()) + Cards.of(s.train());
    } else if (value instanceof WordNet w) {
      return Html.block("text", w.toString().lines().limit(2).reduce("", (a, b) -> a + b + "\n"))
          + Cards.of(w.examples());
    } else if (value instanceof Examples e) {
      return Html.block("title", first(e)) + Cards.of(e);
    } else if (value instanceof Conversations c) {
      return Html.block("title", first(c)) + Cards.of(c);
    } else if (value instanceof Map<?, ?> m && !m.isEmpty() && m.size() <= MOST) {
      return Table.of(m).html();
    } else if (value instanceof List<?> l) {
      return table(l);
    }
    return null;
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
      String all = Arrays.deepToString(new Object[] {value});
      return shortened(all.substring(1, all.length() - 1));
    }
    return String.valueOf(value);
  }

  private static String shortened(String text) {
    int most = 2000;
    return text.length() <= most ? text : text.substring(0, most) + " ...";
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
