package org.peft4j.notebook;

import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.jfree.chart.JFreeChart;
import org.jfree.chart.plot.Plot;
import org.jfree.svg.SVGGraphics2D;
import org.peft4j.format.AtomicFiles;

/**
 * A chart as a value: every call returns a new one, and a notebook shows it. {@link Charts} makes
 * them. It is drawn without a background, in colours that read well on light and dark pages.
 */
public abstract sealed class Chart permits BarChart, HeatMap, LineChart {
  /** Pixels of a chart of the usual size. */
  static final int WIDTH = 760;

  static final int HEIGHT = 400;

  private final String title;

  Chart(String title) {
    this.title = title;
  }

  /** What stands above it. */
  public final String title() {
    return title;
  }

  int width() {
    return WIDTH;
  }

  int height() {
    return HEIGHT;
  }

  abstract Plot plot(ChartLook look);

  /** What it shows, in a few words, where pictures are not seen. */
  abstract String summary();

  private JFreeChart draw(ChartLook look) {
    return look.chart(title, plot(look));
  }

  /**
   * The chart as pixels, without a background.
   *
   * @throws IllegalStateException with one sentence, where this JDK cannot draw (no fonts, no AWT)
   */
  public final BufferedImage picture() {
    return picture(this, ChartLook.PAGE);
  }

  private static BufferedImage picture(Chart chart, ChartLook look) {
    try {
      return chart
          .draw(look)
          .createBufferedImage(
              chart.width(), chart.height(), BufferedImage.TYPE_INT_ARGB, /* info= */ null);
    } catch (RuntimeException | LinkageError | InternalError e) {
      throw noDrawing(e);
    }
  }

  /** The chart as SVG. */
  public final String svg() {
    try {
      return svg(draw(ChartLook.PAGE), width(), height());
    } catch (RuntimeException | LinkageError | InternalError e) {
      throw noDrawing(e);
    }
  }

  static String svg(JFreeChart chart, int width, int height) {
    SVGGraphics2D graphics = new SVGGraphics2D(width, height);
    chart.draw(graphics, new Rectangle2D.Double(0, 0, width, height));
    return graphics.getSVGElement().replace("'SansSerif'", "system-ui, sans-serif");
  }

  static byte[] png(BufferedImage picture) {
    try {
      ByteArrayOutputStream out = new ByteArrayOutputStream();
      ImageIO.write(picture, "png", out);
      return out.toByteArray();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static IllegalStateException noDrawing(Throwable e) {
    return new IllegalStateException(
        "this JDK cannot draw charts ("
            + e
            + ")\nfix: install a font (on Debian: apt-get install fontconfig fonts-dejavu-core), or a"
            + " JDK that is not headless-only",
        e);
  }

  /** Writes it on white as PNG, or as SVG where the name ends so; whole or not at all. */
  public final void write(Path file) throws IOException {
    if (file.toString().endsWith(".svg")) {
      AtomicFiles.writeString(file, svg(draw(ChartLook.PAPER), width(), height()));
    } else {
      AtomicFiles.writeBytes(file, png(picture(this, ChartLook.PAPER)));
    }
  }

  @Override
  public final String toString() {
    return "chart: " + title + (summary().isEmpty() ? "" : "\n" + summary());
  }
}
