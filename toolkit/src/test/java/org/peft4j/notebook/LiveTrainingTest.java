package org.peft4j.notebook;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.ServiceLoader;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.train.RunListener;
import org.peft4j.train.Settings;

/** A training run on a page. */
@Tag("fast")
class LiveTrainingTest {
  private final RecordingDisplay page = new RecordingDisplay();
  private long now;

  @AfterEach
  void back() {
    Displays.use(null);
  }

  @Test
  void it_is_one_output_drawn_at_most_twice_a_second() {
    LiveTraining live = new LiveTraining(page, () -> now);
    live.onBegin(100, Settings.DEFAULT);
    for (int i = 1; i <= 100; i++) {
      now += 100_000_000L; // ten steps a second
      live.onStep(Runs.step(i, 100));
    }
    live.onEnd(Runs.fit(100));

    assertThat(page.ids).hasSize(1 + 20 + 1).containsOnly(page.ids.get(0));
    assertThat(page.shown).isEmpty();
  }

  @Test
  void it_says_how_far_it_is_and_ends_with_a_picture() {
    LiveTraining live = new LiveTraining(page, () -> now);
    live.onBegin(10, Settings.DEFAULT);
    for (int i = 1; i <= 5; i++) {
      now += 1_000_000_000L;
      live.onStep(Runs.step(i, 10));
    }
    assertThat(page.updates.get(5).toString()).startsWith("step 5 of 10, loss ");
    assertThat(String.valueOf(page.updates.get(5).form(Rich.HTML)))
        .contains("width:50.00%", "data:image/svg+xml;base64,");
    assertThat(page.updates.get(5).form(Rich.PNG)).isNull();

    live.onEnd(Runs.fit(10));
    Rich last = page.updates.get(6);
    assertThat(last.toString()).startsWith("10 steps in 1.0 s");
    assertThat(last.form(Rich.PNG)).isInstanceOf(byte[].class);
  }

  @Test
  void pages_get_it_by_the_service_loader_and_others_do_not() {
    Displays.use(page);
    assertThat(listeners()).hasSize(1).allMatch(l -> l instanceof LiveTraining);

    Displays.use(new TerminalDisplay(System.out, () -> true));
    assertThat(listeners()).noneMatch(l -> l instanceof LiveTraining);
  }

  private static List<RunListener> listeners() {
    return ServiceLoader.load(RunListener.Provider.class).stream()
        .flatMap(p -> p.get().listeners().stream())
        .toList();
  }
}
