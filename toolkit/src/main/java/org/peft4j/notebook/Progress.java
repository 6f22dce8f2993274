package org.peft4j.notebook;

import java.io.Console;
import java.util.List;
import java.util.Locale;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Downloads;
import org.peft4j.tensor.CacheHome;
import org.peft4j.train.Fit;
import org.peft4j.train.RunListener;
import org.peft4j.train.Settings;

/**
 * Progress bars on standard error, where somebody looks at a terminal. {@code PEFT4J_PROGRESS}
 * ({@code on} or {@code off}, environment variable or system property) overrides the guess.
 */
public final class Progress implements AutoCloseable {
  private static final int WIDTH = 100;

  private final @Nullable ProgressBar bar;

  private Progress(@Nullable ProgressBar bar) {
    this.bar = bar;
  }

  /** Whether bars are drawn. */
  public static boolean isVisible() {
    String setting = CacheHome.setting("PEFT4J_PROGRESS");
    return setting != null ? setting.equals("on") : isTerminal();
  }

  /** Whether somebody types and reads at a terminal. */
  @SuppressWarnings(
      "SystemConsoleNull") // from JDK 22 on there always is a console, which says by isTerminal()
  // what it is
  public static boolean isTerminal() {
    Console console = System.console();
    if (console == null) {
      return false;
    }
    try {
      return (boolean) Console.class.getMethod("isTerminal").invoke(console);
    } catch (ReflectiveOperationException e) {
      return true; // before JDK 22
    }
  }

  /**
   * A bar for {@code total} units of work; closing it ends its line. Does nothing where no bars are
   * drawn.
   */
  public static Progress of(String name, long total) {
    return of(name, total, "", 1);
  }

  /** A bar that counts in units of a size, such as {@code MB} of 1e6. */
  public static Progress of(String name, long total, String unit, long unitSize) {
    if (!isVisible()) {
      return new Progress(null);
    }
    return new Progress(
        new ProgressBarBuilder()
            .setTaskName(name)
            .setInitialMax(total)
            .setUnit(unit.isEmpty() ? "" : " " + unit, unitSize)
            .setStyle(ProgressBarStyle.ASCII)
            .setUpdateIntervalMillis(200)
            .setConsumer(new ConsoleProgressBarConsumer(System.err, WIDTH))
            .build());
  }

  /** Sets how much is done. */
  public void at(long done) {
    if (bar != null) {
      bar.stepTo(done);
    }
  }

  /** Sets how much there is to do, once it is known. */
  public void total(long total) {
    if (bar != null) {
      bar.maxHint(total);
    }
  }

  /** A few words behind the bar. */
  public void note(String text) {
    if (bar != null) {
      bar.setExtraMessage(text);
    }
  }

  @Override
  public void close() {
    if (bar != null) {
      bar.close();
    }
  }

  /** For every training run a live chart on a page that shows it, else a bar in a terminal. */
  public static final class Provider implements RunListener.Provider {
    @Override
    public List<RunListener> listeners() {
      Display display = Displays.current();
      if (display.isRich()) {
        return List.of(new LiveTraining(display, System::nanoTime));
      }
      return isVisible() ? List.of(new Training("training")) : List.of();
    }
  }

  /** A bar for what comes from the network. */
  public static final class Downloading implements Downloads.Progress.Provider {
    private static final long MEGABYTE = 1_000_000;
    private static final long SMALL = 10 * MEGABYTE;

    @Override
    public Downloads.Progress of(String name) {
      return isVisible() ? new Bar(name) : Downloads.Progress.NONE;
    }

    /** Drawn once there is something to wait for. */
    private static final class Bar implements Downloads.Progress {
      private final String name;
      private @Nullable Progress progress;

      Bar(String name) {
        this.name = name;
      }

      @Override
      public void at(long bytes, long total) {
        Progress bar = progress;
        if (bar == null) {
          boolean small = total >= 0 && total < SMALL;
          bar = Progress.of(name, total, small ? "kB" : "MB", small ? 1000 : MEGABYTE);
          progress = bar;
        }
        bar.total(Math.max(total, bytes));
        bar.at(bytes);
      }

      @Override
      public void close() {
        if (progress != null) {
          progress.close();
        }
      }
    }
  }

  /** A bar for one training run, with the loss and the last evaluation behind it. */
  public static final class Training implements RunListener {
    private static final double SMOOTHING = 0.9;

    private final String name;
    private @Nullable Progress progress;
    private double loss = Double.NaN;
    private String evaluated = "";

    public Training(String name) {
      this.name = name;
    }

    @Override
    public void onBegin(long totalSteps, Settings settings) {
      progress = Progress.of(name, totalSteps);
    }

    @Override
    public void onStep(Step step) {
      loss = Double.isNaN(loss) ? step.loss() : SMOOTHING * loss + (1 - SMOOTHING) * step.loss();
      show(step.step());
    }

    @Override
    public void onEvaluation(Evaluation e) {
      evaluated =
          String.format(Locale.ROOT, " %s %.3f", e.metrics().mainName(), e.metrics().main());
      show(e.step());
    }

    private void show(long step) {
      if (progress != null) {
        progress.at(step);
        progress.note(String.format(Locale.ROOT, "loss %.3f%s", loss, evaluated));
      }
    }

    @Override
    public void onEnd(Fit fit) {
      if (progress != null) {
        progress.close();
      }
    }
  }
}
