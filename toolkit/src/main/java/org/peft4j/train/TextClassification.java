package org.peft4j.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.peft4j.data.Example;
import org.peft4j.data.Examples;
import org.peft4j.model.Inputs;
import org.peft4j.model.TextOutputs;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.text.Batch;
import org.peft4j.text.Side;
import org.peft4j.text.Tokenizer;
import org.peft4j.text.Tokens;

/**
 * One label per text: mean cross entropy of logits {@code [batch, labels]}; figures are accuracy,
 * macro F1 and loss.
 */
public final class TextClassification implements Objective {
  private final List<Tokens> texts;
  private final long[] labels;
  private final long padId;

  /**
   * Tokenises all rows once.
   *
   * @param labelNames the model's labels, in the order of its logits
   */
  public TextClassification(Examples rows, Tokenizer tokenizer, List<String> labelNames) {
    if (rows.size() == 0) {
      throw new IllegalArgumentException("the data is empty");
    }
    if (!rows.labels().equals(labelNames)) {
      throw new IllegalArgumentException(
          "labels: the data's are not the model's\nexpected: "
              + labelNames
              + "\nfound: "
              + rows.labels()
              + "\nfix: Models.load(...).classify(data.labels())");
    }
    List<String> all = new ArrayList<>(rows.size());
    labels = new long[rows.size()];
    for (int i = 0; i < rows.size(); i++) {
      Example e = rows.get(i);
      all.add(e.text());
      labels[i] = e.label();
    }
    texts = tokenizer.encodeAll(all);
    padId = tokenizer.padId();
  }

  @Override
  public int rows() {
    return texts.size();
  }

  @Override
  public int length(int row) {
    return texts.get(row).length();
  }

  @Override
  public NDArray loss(
      Block model, ParameterStore store, NDManager manager, int[] rows, boolean training) {
    NDArray targets =
        Buffers.create(
            manager,
            Arrays.stream(rows).mapToLong(r -> labels[r]).toArray(),
            new Shape(rows.length));
    return CrossEntropy.mean(logits(model, store, manager, rows, training), targets);
  }

  private NDArray logits(
      Block model, ParameterStore store, NDManager manager, int[] rows, boolean training) {
    List<Tokens> chosen = Arrays.stream(rows).mapToObj(texts::get).toList();
    NDList inputs = Inputs.list(manager, Batch.of(chosen, padId, Side.RIGHT));
    return model.forward(store, inputs, training).get(0);
  }

  /** The logits of every row, {@code [rows][labels]}. */
  public float[][] logits(Block model, int batchSize) {
    return TextOutputs.of(model, texts, padId, batchSize, done -> {});
  }

  @Override
  public Metrics evaluate(Block model, int batchSize) {
    return score(logits(model, batchSize));
  }

  /** Accuracy, macro F1 and mean cross entropy of these logits against this objective's labels. */
  public Metrics score(float[][] logits) {
    Confusion confusion = new Confusion();
    double loss = 0;
    for (int i = 0; i < logits.length; i++) {
      float[] row = logits[i];
      int best = 0;
      for (int c = 1; c < row.length; c++) {
        if (row[c] > row[best]) {
          best = c;
        }
      }
      confusion.add(best, (int) labels[i]);
      double sum = 0;
      for (float x : row) {
        sum += Math.exp(x - row[best]);
      }
      loss += Math.log(sum) + row[best] - row[(int) labels[i]];
    }
    Map<String, Double> values = confusion.values();
    values.put("loss", loss / logits.length);
    return new Metrics(values, logits.length, true);
  }
}
