package org.peft4j.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.data.Example;
import org.peft4j.data.Examples;
import org.peft4j.format.AtomicFiles;
import org.peft4j.model.Pooling;
import org.peft4j.model.Pretrained;

/**
 * For Multi-SBoRA: the supersenses are two tasks, the first half of them and the second, each with
 * an adapter and a head of its own. Both adapters are merged into one model, where they change
 * different columns of every weight, and each task is scored there. Figures are means of the two.
 */
final class TwoTasks implements OwnTask {
  private final ComparedData data;

  TwoTasks(ComparedData data) {
    this.data = data;
  }

  @Override
  public String method() {
    return "sbora_fa";
  }

  @Override
  public String description() {
    return "several tasks (Multi-SBoRA): supersenses of two halves, each with columns of its own,"
        + " both merged into one model";
  }

  @Override
  public boolean isInstead() {
    return false;
  }

  @Override
  public double without(int seed) {
    double sum = 0;
    for (int task = 0; task < 2; task++) {
      sum +=
          FrozenFeatures.of(
                  data.embedder(),
                  half(data.train(seed), task),
                  half(data.validation(seed), task),
                  half(data.test(seed), task))
              .accuracy();
    }
    return sum / 2;
  }

  @Override
  public Comparison.Run with(double rate, int seed, boolean heldOut) throws IOException {
    Path dir = Files.createTempDirectory("peft4j-tasks");
    try (Tuned first = attach(0, seed);
        Tuned second = attach(1, seed)) {
      long trainable = 0;
      for (int task = 0; task < 2; task++) {
        Tuned tuned = task == 0 ? first : second;
        Examples scored = half(heldOut ? data.test(seed) : data.validation(seed), task);
        Comparison.Run run =
            data.fit(
                tuned,
                tuned.fit(half(data.train(seed), task)),
                t -> t.evaluate(scored).main(),
                method() + " " + (task + 1),
                rate,
                seed);
        trainable += run.trainable();
        tuned.save(dir.resolve(String.valueOf(task)));
      }
      double sum = 0;
      for (int task = 0; task < 2; task++) {
        // the other task's changes are in the model that this one's adapter is put on
        Path saved = dir.resolve("merged-" + task);
        try (Pretrained other = (task == 0 ? second : first).merge()) {
          other.save(saved);
        }
        try (Pretrained base = Models.load(saved);
            Tuned both = Peft.load(withHead(base, task, seed), dir.resolve(String.valueOf(task)))) {
          Examples scored = half(heldOut ? data.test(seed) : data.validation(seed), task);
          sum += both.evaluate(scored).main();
        }
      }
      return new Comparison.Run(trainable, sum / 2);
    } finally {
      AtomicFiles.deleteTree(dir);
    }
  }

  @Override
  public Cost.Steps someSteps() {
    try (Tuned tuned = attach(0, 0)) {
      return Cost.steps(tuned.fit(half(data.train(0), 0)).batchSize(ComparedData.BATCH));
    }
  }

  private Tuned attach(int task, int seed) {
    return Peft.sboraFa(withHead(data.embedder(), task, seed)).task(task).seed(seed).apply();
  }

  private Pretrained withHead(Pretrained model, int task, int seed) {
    return model.classify(half(data.splits().test(), task).labels(), Pooling.MEAN, seed);
  }

  /** The rows of one task, with labels of its own. */
  private static Examples half(Examples rows, int task) {
    int middle = rows.labels().size() / 2;
    int from = task == 0 ? 0 : middle;
    List<String> labels = rows.labels().subList(from, task == 0 ? middle : rows.labels().size());
    return new Examples(
        rows.stream()
            .filter(r -> r.label() >= from && r.label() < from + labels.size())
            .map(r -> new Example(r.text(), r.label() - from))
            .toList(),
        labels);
  }
}
