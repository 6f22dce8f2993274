package org.peft4j.notebook;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Where content goes. */
@Tag("fast")
class DisplaysTest {
  private final ByteArrayOutputStream printed = new ByteArrayOutputStream();
  private final PrintStream out = new PrintStream(printed, true, StandardCharsets.UTF_8);

  @AfterEach
  void back() {
    Displays.use(null);
  }

  private String printed() {
    return printed.toString(StandardCharsets.UTF_8);
  }

  @Test
  void without_a_kernel_it_is_the_terminal() {
    assertThat(Displays.current()).isInstanceOf(TerminalDisplay.class);
  }

  @Test
  void what_is_in_use_gets_what_is_shown() {
    RecordingDisplay page = new RecordingDisplay();
    Displays.use(page);
    Show.it(Table.of("a").row(1));

    assertThat(page.shown).hasSize(1);
    assertThat(page.shown.get(0).form(Rich.HTML)).isNotNull();
  }

  @Test
  void text_that_grows_is_printed_as_it_grows_where_somebody_looks() {
    Display terminal = new TerminalDisplay(out, () -> true);
    terminal.update("a", Rich.text("one"));
    terminal.update("a", Rich.text("one two"));
    terminal.update("a", Rich.text("something else"));

    assertThat(printed()).isEqualTo("one two");
  }

  @Test
  void what_changes_is_silent_where_nobody_looks() {
    Display file = new TerminalDisplay(out, () -> false);
    file.update("a", Rich.text("one"));
    file.show(Rich.text("shown"));

    assertThat(printed().strip()).isEqualTo("shown");
  }

  @Test
  void streamed_text_is_one_output() {
    RecordingDisplay page = new RecordingDisplay();
    Displays.use(page);
    Consumer<String> text = Show.text("after");
    List.of("a ", "<b> ", "c").forEach(text);

    assertThat(page.ids).hasSize(3).containsOnly(page.ids.get(0));
    assertThat(page.updates.get(2).toString()).isEqualTo("after: a <b> c");
    assertThat(String.valueOf(page.updates.get(2).form(Rich.HTML))).contains("a &lt;b&gt; c");
  }

  /** As rapaio-jupyter-kernel's {@code Global} has them. */
  public static final class Global {
    static final List<String> CALLS = new ArrayList<>();

    private Global() {}

    public static String display(String mime, Object value) {
      CALLS.add("display " + mime + " " + value);
      return "id-" + CALLS.size();
    }

    public static void updateDisplay(String id, String mime, Object value) {
      CALLS.add("update " + id + " " + mime + " " + value);
    }
  }

  @Test
  void rapaio_s_kernel_gets_one_form_and_updates_by_its_own_id() {
    Display page = Objects.requireNonNull(RapaioDisplay.of(Global.class.getName()));
    page.show(Rich.text("t"));
    page.update("mine", Rich.text("t").with(Rich.HTML, "<p/>"));
    page.update("mine", Rich.text("u"));
    page.show(Rich.text("chart").with(Rich.PNG, new byte[] {1, 2}));

    assertThat(Global.CALLS)
        .containsExactly(
            "display text/plain t",
            "display text/html <p/>",
            "update id-2 text/plain u",
            "display image/png AQI=");
    assertThat(RapaioDisplay.find()).isNull();
  }
}
