package org.peft4j.cli;

import java.util.Arrays;
import java.util.Locale;
import org.peft4j.train.Schedule;
import org.peft4j.train.Settings;
import org.peft4j.train.Training;

/** The settings of a run: those of {@link Settings}, in snake case. */
final class TrainingSection {
  private TrainingSection() {}

  static Training apply(Section s, Training run) {
    Training[] r = {run};
    s.ifNumber("epochs", v -> r[0] = r[0].epochs(v));
    s.ifInteger("max_steps", v -> r[0] = r[0].maxSteps(v));
    s.ifInteger("batch_size", v -> r[0] = r[0].batchSize(v));
    s.ifInteger("accumulate", v -> r[0] = r[0].accumulate(v));
    s.ifNumber("learning_rate", v -> r[0] = r[0].learningRate(v));
    s.ifNumber("warmup", v -> r[0] = r[0].warmup(v));
    s.ifNumber("weight_decay", v -> r[0] = r[0].weightDecay(v));
    s.ifNumber("clip", v -> r[0] = r[0].clip(v));
    s.ifInteger("evaluate_every", v -> r[0] = r[0].evaluateEvery(v));
    s.ifInteger("patience", v -> r[0] = r[0].patience(v));
    s.ifInteger("seed", v -> r[0] = r[0].seed(v));
    String schedule = s.text("schedule");
    if (schedule != null) {
      r[0] = r[0].schedule(schedule(s, schedule));
    }
    if (s.flag("keep_best", false)) {
      r[0] = r[0].keepBest();
    }
    if (!s.flag("shuffle", true)) {
      r[0] = r[0].inOrder();
    }
    Long every = s.integer("checkpoint_every");
    var file = s.path("checkpoint");
    if (file != null) {
      r[0] = r[0].checkpoint(file, every == null ? 200 : every);
    } else if (every != null) {
      throw s.wrong("checkpoint", "a file, beside checkpoint_every", null);
    }
    return r[0];
  }

  private static Schedule schedule(Section s, String name) {
    try {
      return Schedule.valueOf(name.toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw s.wrong(
          "schedule",
          "one of "
              + Arrays.stream(Schedule.values())
                  .map(v -> v.name().toLowerCase(Locale.ROOT))
                  .toList(),
          name);
    }
  }
}
