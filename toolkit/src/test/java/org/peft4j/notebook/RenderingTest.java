package org.peft4j.notebook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.data.Conversations;
import org.peft4j.data.Examples;
import org.peft4j.generate.Generated;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.Comparison;
import org.peft4j.train.Metrics;
import org.peft4j.train.Prediction;
import org.w3c.dom.Element;

/** Values as they are shown. */
@Tag("fast")
class RenderingTest {
  private static final String NASTY = "<i onclick='x'>&\"";

  private final Pretrained model = Models.load(Path.of("src/test/resources/golden/hf/base/bert"));

  @AfterEach
  void close() {
    model.close();
    Displays.use(null);
  }

  /** The HTML, which must be well-formed XML. */
  private static Element html(Object value) throws Exception {
    String html = String.valueOf(Rendering.of(value).form(Rich.HTML));
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(html.getBytes(StandardCharsets.UTF_8)))
        .getDocumentElement();
  }

  @Test
  void every_value_of_the_toolkit_is_well_formed_html_with_text_beside_it() throws Exception {
    Examples rows = Examples.of(List.of(NASTY, "b"), List.of("x", "y"));
    var row = new Comparison.Row(Map.of("batch_size", 2L), "logits", 1e-6, 2, 1, Double.NaN, NASTY);
    List<Object> values =
        List.of(
            model,
            model.describe(),
            Peft.lora(model).rank(4).targets("q", "v"),
            Peft.lora(model).targets("nonsense" + NASTY),
            Peft.lora(model).rank(4).apply(),
            Runs.fit(30),
            new Metrics(Map.of("accuracy", 0.5), 10, true),
            new Comparison(List.of(row), 1e-4),
            new Generated(NASTY, List.of(1L), Generated.Ending.LENGTH, 1, 1),
            rows,
            Conversations.texts(List.of(NASTY)),
            Table.of(NASTY, "n").row(NASTY, 1),
            List.of(new Prediction(NASTY, "x", 0.5)),
            Map.of(NASTY, NASTY));

    for (Object value : values) {
      Element html = html(value);
      assertThat(html.getTextContent()).as(value.getClass().getName()).isNotBlank();
      assertThat(html.getElementsByTagName("i").getLength())
          .as("no markup from text of " + value.getClass())
          .isZero();
      assertThat(Rendering.of(value).toString()).isNotBlank();
    }
  }

  @Test
  void other_kernels_leave_the_toolkit_s_values_to_us_and_keep_theirs() {
    List<Object> ours = List.of(model, Table.of("a").row(1), Rich.text("t"), Charts.bars("b"));
    List<Object> theirs = List.of("text", 1, List.of(1, 2), List.of(), Map.of("a", 1));

    assertThat(ours).allMatch(Rendering::isOwn);
    assertThat(theirs).noneMatch(Rendering::isOwn);
    assertThat(Rendering.isOwn(null)).isFalse();
    assertThat(Rendering.isOwn(List.of(new Prediction("text", "x", 0.5)))).isTrue();
    for (Object value : ours) {
      assertThat(Rendering.types()).anyMatch(t -> t.isInstance(value));
    }
  }

  @Test
  void an_expression_tells_what_it_would_train_and_where() throws Exception {
    String text = html(Peft.lora(model).rank(4).targets("q", "v")).getTextContent();

    assertThat(text).contains("lora (rank 4", "attention.self.query", "attention.self.value");
  }

  @Test
  void a_wrong_expression_says_what_is_wrong() throws Exception {
    String text = html(Peft.lora(model).targets("qery")).getTextContent();

    assertThat(text).contains("cannot be attached", "qery");
  }

  @Test
  void an_adapted_model_shows_how_small_its_adapter_is() throws Exception {
    try (var tuned = Peft.lora(model).rank(2).targets("q").apply()) {
      String text = html(tuned).getTextContent();
      assertThat(text)
          .contains(
              String.format("%,d of %,d", tuned.trainableParameters(), tuned.allParameters()));
    }
  }

  @Test
  void nothing_has_a_background_that_only_one_theme_can_bear() throws Exception {
    String html = String.valueOf(Rendering.of(Table.of("a").row(1)).form(Rich.HTML));

    assertThat(html)
        .doesNotContain("background: #fff", "background: white", "color: black", "color: #");
  }

  @Test
  void plain_values_are_readable_text() {
    assertThat(Rendering.of(null)).hasToString("null");
    assertThat(Rendering.of("text")).hasToString("text");
    assertThat(Rendering.of(new int[][] {{1, 2}, {3}})).hasToString("[[1, 2], [3]]");
    assertThat(Rendering.of(new double[5000]).toString()).endsWith(" ...").hasSizeLessThan(2100);
    assertThat(Rendering.of(Arrays.asList(1, null))).hasToString("[1, null]");
    assertThat(Rendering.of(List.of()).form(Rich.HTML)).isNull();
    assertThat(Rendering.of(Rich.text("rich"))).hasToString("rich");
  }

  @Test
  void pictures_are_png() {
    Rich rich = Rendering.of(new BufferedImage(3, 2, BufferedImage.TYPE_INT_RGB));

    assertThat(rich.form(Rich.PNG)).isInstanceOf(byte[].class);
    assertThat(rich).hasToString("picture, 3 x 2");
  }

  @Test
  void tables_set_numbers_right_and_round_them() {
    Table table = Table.of("name", "n", "x").row("a", 12345, 0.74901).row("b", 7L, 1e-7);

    assertThat(table.toString()).contains("12,345", "0.749", "1.0e-07");
    assertThat(table.html()).contains("<td class=\"number\">12,345</td>", "<td>a</td>");
    assertThatThrownBy(() -> table.row(1)).hasMessageContaining("expected: 3");
  }

  @Test
  void maps_keep_their_order() throws Exception {
    Map<String, Integer> map = new LinkedHashMap<>();
    map.put("z", 1);
    map.put("a", 2);

    assertThat(html(map).getTextContent()).containsSubsequence("z", "1", "a", "2");
  }

  @Test
  void values_stand_beside_each_other() throws Exception {
    RecordingDisplay page = new RecordingDisplay();
    Displays.use(page);
    Show.sideBySide("before", NASTY, "after", Charts.bars("").bar("a", 1));

    Element html = html(page.shown.get(0));
    assertThat(html.getTextContent()).contains("before", NASTY, "after");
    assertThat(html.getElementsByTagName("img").getLength()).isEqualTo(1);
    assertThatThrownBy(() -> Show.sideBySide("before")).hasMessageContaining("a name and a value");
  }

  @Test
  void tutorials_are_full_unless_the_setting_says_small() {
    String before = System.getProperty("PEFT4J_TUTORIAL");
    try {
      System.clearProperty("PEFT4J_TUTORIAL");
      if (System.getenv("PEFT4J_TUTORIAL") == null) {
        assertThat(Tutorial.size(100, 2)).isEqualTo(100);
      }
      System.setProperty("PEFT4J_TUTORIAL", "small");
      assertThat(Tutorial.size(100, 2)).isEqualTo(2);
      System.setProperty("PEFT4J_TUTORIAL", "tiny");
      assertThatThrownBy(() -> Tutorial.size(100, 2)).hasMessageContaining("full or small");
    } finally {
      if (before == null) {
        System.clearProperty("PEFT4J_TUTORIAL");
      } else {
        System.setProperty("PEFT4J_TUTORIAL", before);
      }
    }
  }
}
