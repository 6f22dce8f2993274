package org.peft4j.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.adapter.PeftModel;

/**
 * A process killed in the middle of training, started again, ends with the same bytes as one that
 * nobody disturbed.
 */
@Tag("fast")
class KillTest {
  @TempDir Path dir;

  /** Trains with a checkpoint after every step and saves the adapter. */
  public static final class Run {
    public static void main(String[] args) {
      Path work = Path.of(args[0]);
      try (SmallTask task = new SmallTask();
          PeftModel tuned = task.tuned()) {
        Training.of(tuned, task.rows(400, 3))
            .batchSize(8)
            .epochs(2)
            .checkpoint(work.resolve("run.safetensors"), 1)
            .quiet()
            .run();
        tuned.save(work.resolve("adapter"), null, null);
      }
      System.exit(0);
    }
  }

  private static Process start(Path work) throws IOException {
    Files.createDirectories(work);
    return Child.of(Run.class, "256m", work.toString()).inheritIO().start();
  }

  @Test
  void a_killed_run_goes_on_where_it_was() throws Exception {
    Path undisturbed = dir.resolve("undisturbed");
    Path killed = dir.resolve("killed");
    assertThat(start(undisturbed).waitFor()).isZero();
    Path checkpoint = killed.resolve("run.safetensors");
    int kills = 0;
    for (int round = 0; round < 3; round++) {
      Process p = start(killed);
      long sizeBefore =
          Files.exists(checkpoint) ? Files.getLastModifiedTime(checkpoint).toMillis() : 0;
      for (int i = 0; i < 3000 && p.isAlive(); i++) {
        boolean moved =
            Files.exists(checkpoint)
                && Files.getLastModifiedTime(checkpoint).toMillis()
                    > sizeBefore + 40L * (round + 1);
        if (moved) {
          p.destroyForcibly(); // SIGKILL
          break;
        }
        Thread.sleep(5);
      }
      assertThat(p.waitFor(60, TimeUnit.SECONDS)).isTrue();
      kills += p.exitValue() == 0 ? 0 : 1;
    }
    assertThat(kills).as("the process was killed in the middle").isPositive();
    assertThat(start(killed).waitFor()).isZero();
    assertThat(Files.readAllBytes(killed.resolve("adapter/adapter_model.safetensors")))
        .isEqualTo(Files.readAllBytes(undisturbed.resolve("adapter/adapter_model.safetensors")));
  }
}
