package org.peft4j.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.util.Arrays;
import java.util.List;
import org.peft4j.adapter.PeftModel;
import org.peft4j.tensor.Scalars;

/**
 * Several objectives at once, for methods that tell tasks apart: what one gives is said to be of
 * the task that has its place in the list. Batches mix them.
 */
public final class Multitask implements Objective {
  private final List<Objective> tasks;

  public Multitask(List<? extends Objective> tasks) {
    if (tasks.isEmpty()) {
      throw new IllegalArgumentException("tasks: expected at least one, found none");
    }
    this.tasks = List.copyOf(tasks);
  }

  @Override
  public int rows() {
    return tasks.stream().mapToInt(Objective::rows).sum();
  }

  /** The first row of a task. */
  private int start(int task) {
    return tasks.stream().limit(task).mapToInt(Objective::rows).sum();
  }

  private int taskOf(int row) {
    int task = 0;
    while (row >= start(task + 1)) {
      task++;
    }
    return task;
  }

  @Override
  public int length(int row) {
    int task = taskOf(row);
    return tasks.get(task).length(row - start(task));
  }

  /** Those of {@code rows} that are a task's, as the task counts them. */
  private int[] own(int task, int[] rows) {
    return Arrays.stream(rows).filter(r -> taskOf(r) == task).map(r -> r - start(task)).toArray();
  }

  @Override
  public NDArray loss(
      Block model, ParameterStore store, NDManager manager, int[] rows, boolean training) {
    PeftModel adapted = adapted(model);
    double all = weight(rows);
    NDArray sum = null;
    for (int i = 0; i < tasks.size(); i++) {
      int[] own = own(i, rows);
      if (own.length > 0) {
        Objective task = tasks.get(i);
        NDArray loss =
            adapted.onTasks(List.of(i), () -> task.loss(model, store, manager, own, training));
        NDArray part = Scalars.mul(loss, task.weight(own) / all);
        sum = sum == null ? part : sum.add(part);
      }
    }
    if (sum == null) {
      throw new IllegalArgumentException("rows: expected at least one, found none");
    }
    return sum;
  }

  @Override
  public double weight(int[] rows) {
    double sum = 0;
    for (int i = 0; i < tasks.size(); i++) {
      int[] own = own(i, rows);
      sum += own.length == 0 ? 0 : tasks.get(i).weight(own);
    }
    return sum;
  }

  @Override
  public String describe() {
    return tasks.size() + " tasks, " + rows() + " rows";
  }

  /** Not for several tasks together: their figures differ in kind. */
  @Override
  public Metrics evaluate(Block model, int batchSize) {
    throw new UnsupportedOperationException(
        "figures are of one task\nfix: name it by task(...) and evaluate on its rows");
  }

  private static PeftModel adapted(Block model) {
    if (model instanceof PeftModel adapted) {
      return adapted;
    }
    throw new IllegalArgumentException(
        "several tasks are for adapted models\nfound: " + model.getClass().getSimpleName());
  }
}
