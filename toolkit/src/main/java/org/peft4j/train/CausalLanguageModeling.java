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
import java.util.Locale;
import java.util.stream.IntStream;
import org.peft4j.data.Conversations;
import org.peft4j.model.Inputs;
import org.peft4j.model.Positions;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.text.Batch;
import org.peft4j.text.Side;
import org.peft4j.text.Tokenizer;
import org.peft4j.text.Tokens;

/**
 * The next token, of those that are to be learned: {@code -1/n sum log p(token t | tokens before
 * t)}, n being the number of such tokens in the whole batch. Rows are padded on the right. Scores
 * are computed only where one is needed. Figures are perplexity, loss, and the share of tokens that
 * score highest.
 */
public final class CausalLanguageModeling implements Objective {
  private final List<LabelledTokens> rows;
  private final long padId;
  private final int truncated;
  private final int leftOut;

  /**
   * Tokenises all rows once. Rows that are left without a token to learn when they are cut to their
   * maximum length are left out and counted.
   *
   * @throws IllegalArgumentException if no row is left
   */
  public CausalLanguageModeling(Conversations rows, Tokenizer tokenizer, RowFormat format) {
    this(
        rows.rows().parallelStream().map(row -> format.encode(row, tokenizer)).toList(),
        tokenizer.padId(),
        format.maxLength());
  }

  private CausalLanguageModeling(List<LabelledTokens> all, long padId, int maxLength) {
    this.padId = padId;
    rows = all.stream().filter(r -> r.supervised() > 0).toList();
    truncated = (int) rows.stream().filter(LabelledTokens::truncated).count();
    leftOut = all.size() - rows.size();
    if (rows.isEmpty()) {
      throw new IllegalArgumentException(
          "no row has a token to learn\nexpected: an assistant's turn within "
              + maxLength
              + " tokens\nfound: "
              + all.size()
              + " rows without\nfix: a larger maxLength, or shorter prompts");
    }
  }

  /**
   * Rows that are tokenised already.
   *
   * @param labels for each token itself where it is to be learned, else -100
   */
  public static CausalLanguageModeling of(List<long[]> ids, List<long[]> labels, long padId) {
    return new CausalLanguageModeling(
        IntStream.range(0, ids.size())
            .mapToObj(i -> new LabelledTokens(ids.get(i), labels.get(i), false).trimmed())
            .toList(),
        padId,
        Integer.MAX_VALUE);
  }

  @Override
  public int rows() {
    return rows.size();
  }

  LabelledTokens row(int i) {
    return rows.get(i);
  }

  /** Rows that were cut. */
  public int truncated() {
    return truncated;
  }

  /** Rows that have nothing to learn within the maximum length and do not take part. */
  public int leftOut() {
    return leftOut;
  }

  /** Tokens to be learned, in all rows. */
  public long supervisedTokens() {
    return rows.stream().mapToLong(LabelledTokens::supervised).sum();
  }

  @Override
  public int length(int row) {
    return rows.get(row).length();
  }

  @Override
  public double weight(int[] rows) {
    return Arrays.stream(rows).mapToLong(r -> this.rows.get(r).supervised()).sum();
  }

  @Override
  public NDArray loss(
      Block model, ParameterStore store, NDManager manager, int[] rows, boolean training) {
    TokenFigures.Scores s = scores(model, store, manager, rows, training);
    return CrossEntropy.mean(s.logits(), s.targets());
  }

  private TokenFigures.Scores scores(
      Block model, ParameterStore store, NDManager manager, int[] rows, boolean training) {
    List<LabelledTokens> chosen = Arrays.stream(rows).mapToObj(this.rows::get).toList();
    Batch batch =
        Batch.of(chosen.stream().map(r -> Tokens.of(r.ids())).toList(), padId, Side.RIGHT);
    int n = chosen.stream().mapToInt(LabelledTokens::supervised).sum();
    long[] positions = new long[n];
    long[] targets = new long[n];
    int next = 0;
    for (int r = 0; r < rows.length; r++) {
      LabelledTokens row = chosen.get(r);
      for (int t = 1; t < row.length(); t++) {
        if (row.scored(t)) {
          positions[next] = (long) r * batch.length() + t - 1;
          targets[next++] = row.labels()[t];
        }
      }
    }
    NDArray at = Buffers.create(manager, positions, new Shape(n));
    NDList inputs = Inputs.list(manager, batch);
    NDArray logits = model.forward(store, inputs, training, Positions.of(at)).get(0);
    return new TokenFigures.Scores(
        logits.getShape().dimension() == 3 ? Positions.rows(logits, at) : logits,
        Buffers.create(manager, targets, new Shape(n)));
  }

  @Override
  public Metrics evaluate(Block model, int batchSize) {
    return TokenFigures.of(
        this, batchSize, (store, manager, batch) -> scores(model, store, manager, batch, false));
  }

  @Override
  public String describe() {
    String base =
        String.format(Locale.ROOT, "%,d rows, %,d tokens to learn", rows(), supervisedTokens());
    List<String> notes = new ArrayList<>();
    if (truncated > 0) {
      notes.add(String.format(Locale.ROOT, "%,d cut", truncated));
    }
    if (leftOut > 0) {
      notes.add(String.format(Locale.ROOT, "%,d more left out: nothing to learn", leftOut));
    }
    return notes.isEmpty() ? base : base + " (" + String.join(", ", notes) + ")";
  }
}
