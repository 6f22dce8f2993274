package org.peft4j.notebook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.Color;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Objects;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;

/** Charts, read back from their pictures. */
@Tag("fast")
class ChartTest {
  private static final Chart RUNS =
      Charts.losses("Two runs").run("LoRA", Runs.fit(80)).run("DoRA", Runs.fit(40));

  private static BufferedImage png(Chart chart) throws IOException {
    byte[] bytes = (byte[]) Objects.requireNonNull(Rendering.of(chart).form(Rich.PNG));
    return ImageIO.read(new ByteArrayInputStream(bytes));
  }

  private static Document svg(Chart chart) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(chart.svg().getBytes(StandardCharsets.UTF_8)));
  }

  /** Pixels of exactly this colour at this opacity in the part of the picture below {@code top}. */
  private static long pixels(BufferedImage image, Color colour, double top) {
    long n = 0;
    for (int y = (int) (top * image.getHeight()); y < image.getHeight(); y++) {
      for (int x = 0; x < image.getWidth(); x++) {
        n += image.getRGB(x, y) == colour.getRGB() ? 1 : 0;
      }
    }
    return n;
  }

  @Test
  void lines_have_their_colours_in_the_plot_and_in_the_legend() throws IOException {
    BufferedImage image = png(RUNS);

    assertThat(image.getWidth()).isEqualTo(Chart.WIDTH);
    assertThat(image.getHeight()).isEqualTo(Chart.HEIGHT);
    for (int i = 0; i < 2; i++) {
      assertThat(pixels(image, ChartLook.colour(i), 0)).as("series " + i).isGreaterThan(150);
      assertThat(pixels(image, ChartLook.colour(i), 0.92)).as("legend " + i).isGreaterThan(5);
    }
    assertThat(pixels(image, ChartLook.colour(2), 0)).isZero();
  }

  @Test
  void a_page_shows_through_and_paper_is_white() throws IOException {
    assertThat(new Color(png(RUNS).getRGB(2, 2), true).getAlpha()).isZero();
    assertThat(Charts.loss(Runs.fit(5)).picture().getRGB(2, 2)).isZero();
  }

  @Test
  void letters_read_well_on_light_and_dark_pages() {
    assertThat(contrast(ChartLook.PAGE.ink(), Color.WHITE)).isGreaterThan(3.5);
    assertThat(contrast(ChartLook.PAGE.ink(), new Color(0x111111))).isGreaterThan(3.5);
    for (int i = 0; i < 8; i++) {
      assertThat(contrast(ChartLook.colour(i), Color.WHITE)).as("colour " + i).isGreaterThan(2.5);
      assertThat(contrast(ChartLook.colour(i), new Color(0x111111)))
          .as("colour " + i)
          .isGreaterThan(3);
    }
  }

  /** The contrast ratio of WCAG 2. */
  private static double contrast(Color a, Color b) {
    double x = luminance(a) + 0.05;
    double y = luminance(b) + 0.05;
    return Math.max(x, y) / Math.min(x, y);
  }

  private static double luminance(Color c) {
    return 0.2126 * linear(c.getRed())
        + 0.7152 * linear(c.getGreen())
        + 0.0722 * linear(c.getBlue());
  }

  private static double linear(int part) {
    double x = part / 255.0;
    return x <= 0.03928 ? x / 12.92 : Math.pow((x + 0.055) / 1.055, 2.4);
  }

  @Test
  void svg_parses_and_says_what_the_picture_says() throws Exception {
    Document document = svg(RUNS);

    assertThat(document.getDocumentElement().getTagName()).isEqualTo("svg");
    assertThat(document.getDocumentElement().getTextContent())
        .contains("Two runs", "LoRA", "DoRA", "step");
  }

  @Test
  void names_are_escaped_in_svg() throws Exception {
    Chart chart = Charts.bars("a < b & \"c\"").bar("<script>", 1).bar("d", 2);

    assertThat(svg(chart).getDocumentElement().getTextContent())
        .contains("a < b & \"c\"", "<script>");
  }

  @Test
  void points_carry_their_names() throws Exception {
    Chart chart =
        Charts.lines("")
            .axes("parameters", "accuracy")
            .logX()
            .point("small", "ia3", 1e3, 0.4)
            .point("small", "bitfit", 1e4, 0.5)
            .point("large", "full", 2e7, 0.9);

    assertThat(svg(chart).getDocumentElement().getTextContent())
        .contains("ia3", "bitfit", "full", "small", "large");
  }

  @Test
  void bars_are_as_long_as_their_values() throws IOException {
    BufferedImage image = png(Charts.bars("").bar("one", 1).bar("four", 4));
    long all = pixels(image, ChartLook.colour(0), 0);
    long first = pixels(image, ChartLook.colour(0), 0) - pixels(image, ChartLook.colour(0), 0.42);

    assertThat((double) first / all).isBetween(0.15, 0.25);
  }

  @Test
  void heat_maps_have_a_colour_for_each_sign_and_none_for_zero() throws IOException {
    float[][] matrix = new float[8][8];
    matrix[1][1] = 2;
    matrix[6][6] = -2;
    BufferedImage image = png(Charts.heatMap("dW", matrix));

    assertThat(pixels(image, ChartLook.colour(1), 0)).isGreaterThan(300);
    assertThat(pixels(image, ChartLook.colour(0), 0)).isGreaterThan(300);
  }

  @Test
  void what_does_not_fit_together_is_refused() {
    assertThatThrownBy(() -> Charts.lines("").line("a", new double[2], new double[3]))
        .hasMessageContaining("expected: as many x as y")
        .hasMessageContaining("2 and 3");
    assertThatThrownBy(() -> Charts.heatMap("", new float[][] {{1, 2}, {1}}))
        .hasMessageContaining("rows of 2");
  }

  @Test
  void files_are_png_on_white_or_svg(@TempDir Path dir) throws IOException {
    RUNS.write(dir.resolve("a.png"));
    RUNS.write(dir.resolve("a.svg"));

    assertThat(ImageIO.read(dir.resolve("a.png").toFile()).getRGB(2, 2))
        .isEqualTo(Color.WHITE.getRGB());
    assertThat(dir.resolve("a.svg")).content().startsWith("<svg");
  }
}
