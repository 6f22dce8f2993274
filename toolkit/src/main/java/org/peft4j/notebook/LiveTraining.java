package org.peft4j.notebook;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.UUID;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.peft4j.train.Fit;
import org.peft4j.train.RunListener;
import org.peft4j.train.Settings;

/**
 * A training run on a page: a bar, what is known, and the curve of the losses, in one output that
 * is drawn again at most twice a second.
 */
final class LiveTraining implements RunListener {
  private static final long INTERVAL = 500_000_000L;
  private static final int HEIGHT = 300;

  private final Display display;
  private final LongSupplier nanoTime;
  private final String id = UUID.randomUUID().toString();
  private final List<Step> steps = new ArrayList<>();
  private @Nullable Evaluation evaluation;
  private long total;
  private long drawn;

  LiveTraining(Display display, LongSupplier nanoTime) {
    this.display = display;
    this.nanoTime = nanoTime;
  }

  @Override
  public void onBegin(long totalSteps, Settings settings) {
    total = totalSteps;
    drawn = nanoTime.getAsLong();
    display.update(id, content(line(), false));
  }

  @Override
  public void onStep(Step step) {
    steps.add(step);
    draw();
  }

  @Override
  public void onEvaluation(Evaluation e) {
    evaluation = e;
    draw();
  }

  @Override
  public void onEnd(Fit fit) {
    String first = fit.toString().lines().findFirst().orElse("");
    display.update(id, content(first + evaluated(), true));
  }

  private void draw() {
    long now = nanoTime.getAsLong();
    if (now - drawn >= INTERVAL) {
      drawn = now;
      display.update(id, content(line(), false));
    }
  }

  private Rich content(String line, boolean ended) {
    double share = total == 0 ? 0 : (double) steps.size() / total;
    Rich rich = Rich.text(line);
    if (steps.size() < 2) {
      return rich.with(Rich.HTML, Html.page(Html.bar(share) + Html.block("quiet", line)));
    }
    LineChart chart =
        LossCurve.of(steps)
            .on(Charts.losses("").height(HEIGHT).rangeX(0, Math.max(2, total)), "loss");
    String picture = Rendering.image(Rich.SVG, chart.svg().getBytes(StandardCharsets.UTF_8));
    String bar = ended ? "" : Html.bar(share);
    Rich all = rich.with(Rich.HTML, Html.page(bar + Html.block("quiet", line) + picture));
    return ended ? all.with(Rich.PNG, Chart.png(chart.picture())) : all;
  }

  private String line() {
    if (steps.isEmpty()) {
      return String.format(Locale.ROOT, "training, %,d steps", total);
    }
    Step last = steps.get(steps.size() - 1);
    double left = (total - steps.size()) * last.seconds() / steps.size();
    return String.format(
            Locale.ROOT,
            "step %,d of %,d, loss %.3f, %.0f s, about %.0f s left",
            last.step(),
            total,
            smoothed(),
            last.seconds(),
            Math.max(0, left))
        + evaluated();
  }

  private double smoothed() {
    double[] all = LossCurve.of(steps).smooth();
    return all[all.length - 1];
  }

  private String evaluated() {
    Evaluation e = evaluation;
    return e == null
        ? ""
        : String.format(
            Locale.ROOT, "; validation %s %.3f", e.metrics().mainName(), e.metrics().main());
  }
}
