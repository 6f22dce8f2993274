package org.peft4j.ipynb;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.format.Json;
import org.peft4j.notebook.Rich;

/** The tutorials, run from their first cell to their last at the reduced size. */
@Tag("model")
class NotebooksTest {
  private static final Path FOLDER = Path.of(System.getProperty("peft4j.root", ".."), "notebooks");

  /** Pictures and pieces of HTML that a page shows at least, by {@code shown.json}. */
  private static int expected(Ipynb notebook, String kind) throws IOException {
    Map<?, ?> page = (Map<?, ?>) Json.read(FOLDER.resolve("shown.json")).get(notebook.name());
    assertThat(page).as("what " + notebook.name() + " shows stands in shown.json").isNotNull();
    return ((Long) page.get(kind)).intValue();
  }

  @TempDir Path dir;

  private static List<Path> files() throws IOException {
    try (Stream<Path> all = Files.list(FOLDER)) {
      return all.filter(f -> f.toString().endsWith(".ipynb")).sorted().toList();
    }
  }

  @TestFactory
  Stream<DynamicTest> java_notebooks_run_and_show_their_pictures() throws IOException {
    return files().stream()
        .map(Ipynb::read)
        .filter(n -> n.language().equals("java"))
        .map(n -> DynamicTest.dynamicTest(n.name(), () -> run(n)));
  }

  private void run(Ipynb notebook) throws IOException {
    String before = System.getProperty("PEFT4J_TUTORIAL");
    System.setProperty("PEFT4J_TUTORIAL", "small");
    try (SessionEvaluator evaluator = new SessionEvaluator()) {
      Execution done = Execution.of(notebook, evaluator);

      assertThat(pictures(done)).isGreaterThanOrEqualTo(expected(notebook, "pictures"));
      assertThat(done.outputs().stream().filter(o -> o.form(Rich.HTML) != null).count())
          .isGreaterThanOrEqualTo(expected(notebook, "html"));
      assertThat(Page.write(done, dir)).content().contains("<h1>" + notebook.title());
    } finally {
      if (before == null) {
        System.clearProperty("PEFT4J_TUTORIAL");
      } else {
        System.setProperty("PEFT4J_TUTORIAL", before);
      }
    }
  }

  /** Pictures with something on them. */
  private static int pictures(Execution done) throws IOException {
    int n = 0;
    for (Rich output : done.outputs()) {
      if (output.form(Rich.PNG) instanceof byte[] png) {
        var image = ImageIO.read(new ByteArrayInputStream(png));
        Set<Integer> colours = new HashSet<>();
        for (int y = 0; y < image.getHeight(); y++) {
          for (int x = 0; x < image.getWidth(); x++) {
            colours.add(image.getRGB(x, y));
          }
        }
        assertThat(colours).as("colours of " + output).hasSizeGreaterThan(8);
        n++;
      }
    }
    return n;
  }

  @Test
  void notebooks_are_stored_without_outputs_for_one_kernel_each() throws IOException {
    for (Path file : files()) {
      Map<String, ?> json = Json.read(file);
      assertThat(json.get("nbformat_minor")).as(file.toString()).isEqualTo(5L);
      Set<Object> ids = new HashSet<>();
      for (Object o : (List<?>) json.get("cells")) {
        Map<?, ?> cell = (Map<?, ?>) o;
        assertThat(ids.add(cell.get("id"))).as("id " + cell.get("id")).isTrue();
        if ("code".equals(cell.get("cell_type"))) {
          assertThat((List<?>) cell.get("outputs")).isEmpty();
          assertThat(cell.get("execution_count")).isNull();
        }
      }
    }
  }

  @Test
  void notebooks_have_short_lines_and_no_magics_and_the_map_names_them_all() throws IOException {
    String map = Files.readString(FOLDER.resolve("README.md"), StandardCharsets.UTF_8);
    for (Path file : files()) {
      assertThat(map).contains("(" + file.getFileName() + ")");
      for (String code : Ipynb.read(file).code()) {
        assertThat(code.lines()).noneMatch(l -> l.startsWith("%") || l.startsWith("!"));
        assertThat(code.lines()).as(file + ": what a page shows").allMatch(l -> l.length() <= 100);
      }
    }
  }
}
