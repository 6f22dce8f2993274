package org.peft4j;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.util.List;
import java.util.function.Function;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.train.Metrics;
import org.peft4j.train.Objective;

/**
 * Learns to answer a few texts, all in one batch.
 *
 * @param inputs the texts, made anew for each step
 * @param answers the label of each, or the token it goes on with
 */
record FewTexts(Function<NDManager, NDList> inputs, List<Long> answers) implements Objective {
  FewTexts {
    answers = List.copyOf(answers);
  }

  @Override
  public int rows() {
    return answers.size();
  }

  @Override
  public int length(int row) {
    return 1;
  }

  @Override
  public NDArray loss(
      Block model, ParameterStore store, NDManager manager, int[] rows, boolean training) {
    NDArray scores = model.forward(store, inputs.apply(manager), training).get(0);
    NDArray last = scores.getShape().dimension() == 3 ? scores.get(":, -1") : scores;
    long[] labels = answers.stream().mapToLong(Long::longValue).toArray();
    return CrossEntropy.mean(last, manager.create(labels).toType(DataType.INT64, false));
  }

  @Override
  public Metrics evaluate(Block model, int batchSize) {
    throw new UnsupportedOperationException();
  }
}
