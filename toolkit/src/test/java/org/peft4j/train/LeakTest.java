package org.peft4j.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.adapter.PeftModel;
import org.peft4j.data.Examples;
import org.peft4j.model.Pretrained;

/**
 * Native memory stays where it is, however long one trains and however often a cell is run again.
 * Resident memory is read from /proc.
 */
@EnabledOnOs(OS.LINUX)
class LeakTest {
  private static final long MEGABYTE = 1 << 20;

  /**
   * The least resident memory in bytes of some looks at it: a cleaner frees what is not reachable,
   * some time after a collection. The heap is all resident from the start, so growth is native.
   */
  private static long resident() throws Exception {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 20; i++) {
      System.gc();
      Thread.sleep(100);
      least =
          Math.min(
              least,
              Files.readAllLines(Path.of("/proc/self/status")).stream()
                  .filter(l -> l.startsWith("VmRSS:"))
                  .mapToLong(l -> Long.parseLong(l.replaceAll("\\D", "")) * 1024)
                  .findFirst()
                  .orElseThrow());
    }
    return least;
  }

  /** Trains 2,000 steps after a warm-up; prints by how many bytes the process grew. */
  public static final class Steps {
    public static void main(String[] args) throws Exception {
      try (SmallTask task = new SmallTask();
          PeftModel tuned = task.tuned()) {
        Training run =
            Training.of(tuned, task.rows(64, 3)).batchSize(8).learningRate(0.001).quiet();
        run.epochs(200).run(); // 1,600 steps, until the JVM has compiled what it will
        long before = resident();
        run.epochs(250).run();
        System.out.print(resident() - before);
      }
      System.exit(0);
    }
  }

  @Test
  @Tag("fast")
  void two_thousand_steps_leave_nothing_behind() throws Exception {
    long growth = Long.parseLong(Child.output(Child.of(Steps.class, "256m")).strip());
    assertThat(growth).as("bytes after 2,000 steps").isLessThan(24 * MEGABYTE);
  }

  /**
   * What a notebook user runs again and again, closing nothing; prints by how many bytes 35 more
   * times made the process grow.
   */
  public static final class Cells {
    public static void main(String[] args) throws Exception {
      Examples rows =
          Examples.of(
              List.of(
                  "a large cat", "a small dog", "the state of being cold", "an act of kindness"),
              List.of("animal", "animal", "state", "act"));
      long before = 0;
      for (int i = 0; i < 50; i++) {
        Pretrained model = Models.load("minilm").classify(rows.labels());
        Tuned tuned = Peft.lora(model).rank(8).targets("q", "v").apply();
        tuned.fit(rows).epochs(2).batchSize(2).quiet().run();
        Models.evaluate(tuned.merge(), rows);
        if (i % 5 == 4) {
          System.gc(); // as it comes by itself in a busy notebook
        }
        if (i == 14) {
          before = resident();
        }
      }
      System.out.print(resident() - before);
      System.exit(0);
    }
  }

  @Test
  @Tag("model")
  void fifty_times_the_same_cell_leaves_nothing_behind() throws Exception {
    long growth = Long.parseLong(Child.output(Child.of(Cells.class, "512m")).strip());
    assertThat(growth)
        .as("bytes after 35 more runs; a model left by each would be 35 x 90 MB")
        .isLessThan(300 * MEGABYTE);
  }
}
