package org.peft4j.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.peft4j.data.Conversation;
import org.peft4j.data.Conversations;
import org.peft4j.model.Inputs;
import org.peft4j.model.Positions;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.text.Batch;
import org.peft4j.text.Message;
import org.peft4j.text.Side;
import org.peft4j.text.Tokenizer;
import org.peft4j.text.Tokens;

/**
 * The tokens of a target, given its source: {@code -1/n sum log p(token t | source, tokens before
 * t)}, n being the number of target tokens in the whole batch. The decoder reads the target shifted
 * right behind its start token; sources and targets are padded on the right. Figures are
 * perplexity, loss, and the share of tokens that score highest.
 */
public final class Seq2SeqLanguageModeling implements Objective {
  @SuppressWarnings("ArrayRecordComponent") // rows go to native arrays
  private record Row(long[] source, long[] target) {}

  private final List<Row> rows;
  private final long padId;
  private final long startId;

  /**
   * Tokenises all rows once: what comes before the assistant's one turn is the source, the turn the
   * target. The tokenizer's own special tokens are kept; a target ends with an end token.
   *
   * @param startId what the decoder begins with
   */
  public Seq2SeqLanguageModeling(
      Conversations rows, Tokenizer tokenizer, RowFormat format, long startId) {
    this(
        rows.rows().parallelStream().map(row -> encode(row, tokenizer, format)).toList(),
        tokenizer.padId(),
        startId);
  }

  private Seq2SeqLanguageModeling(List<Row> rows, long padId, long startId) {
    this.rows = rows;
    this.padId = padId;
    this.startId = startId;
    if (rows.stream().anyMatch(r -> r.source.length == 0 || r.target.length == 0)) {
      throw new IllegalArgumentException(
          "rows\nexpected: at least one token in each source and target\nfound: none in some");
    }
  }

  /** Rows that are tokenised already, end tokens included. */
  public static Seq2SeqLanguageModeling of(
      List<long[]> sources, List<long[]> targets, long padId, long startId) {
    if (sources.size() != targets.size()) {
      throw new IllegalArgumentException(
          "targets\nexpected: " + sources.size() + ", one per source\nfound: " + targets.size());
    }
    return new Seq2SeqLanguageModeling(
        IntStream.range(0, sources.size())
            .mapToObj(i -> new Row(sources.get(i), targets.get(i)))
            .toList(),
        padId,
        startId);
  }

  private static Row encode(Conversation row, Tokenizer tokenizer, RowFormat format) {
    if (!(row instanceof Conversation.Chat chat)
        || chat.messages().stream().filter(Conversation::isAnswer).count() != 1
        || !Conversation.isAnswer(chat.messages().get(chat.messages().size() - 1))) {
      throw new IllegalArgumentException(
          "a row for a model with an encoder\n"
              + "expected: a source and a target (a prompt and one answer)\n"
              + "found: "
              + row);
    }
    Message answer = chat.messages().get(chat.messages().size() - 1);
    long[] target = tokenizer.encode(answer.content()).ids();
    if (!format.ends().isEmpty()
        && (target.length == 0 || !format.ends().contains(target[target.length - 1]))) {
      target = Arrays.copyOf(target, target.length + 1);
      target[target.length - 1] = format.ends().get(0);
    }
    return new Row(
        cut(tokenizer.encode(row.opening()).ids(), format.maxLength()),
        cut(target, format.maxLength()));
  }

  private static long[] cut(long[] ids, int most) {
    return ids.length <= most ? ids : Arrays.copyOf(ids, most);
  }

  @Override
  public int rows() {
    return rows.size();
  }

  @Override
  public int length(int row) {
    return Math.max(rows.get(row).source.length, rows.get(row).target.length);
  }

  @Override
  public double weight(int[] rows) {
    return Arrays.stream(rows).mapToLong(r -> this.rows.get(r).target.length).sum();
  }

  @Override
  public NDArray loss(
      Block model, ParameterStore store, NDManager manager, int[] rows, boolean training) {
    TokenFigures.Scores s = scores(model, store, manager, rows, training);
    return CrossEntropy.mean(s.logits(), s.targets());
  }

  private TokenFigures.Scores scores(
      Block model, ParameterStore store, NDManager manager, int[] rows, boolean training) {
    List<Row> chosen = Arrays.stream(rows).mapToObj(this.rows::get).toList();
    Batch sources = padded(chosen.stream().map(Row::source).toList());
    Batch decoder = padded(chosen.stream().map(r -> shifted(r.target)).toList());
    int n = (int) weight(rows);
    long[] positions = new long[n];
    long[] targets = new long[n];
    int next = 0;
    for (int r = 0; r < rows.length; r++) {
      long[] target = chosen.get(r).target;
      for (int t = 0; t < target.length; t++) {
        positions[next] = (long) r * decoder.length() + t;
        targets[next++] = target[t];
      }
    }
    NDList in = new NDList(Inputs.array(manager, sources.ids()));
    in.add(Inputs.array(manager, sources.attentionMask()));
    in.add(Inputs.array(manager, decoder.ids()));
    NDArray at = Buffers.create(manager, positions, new Shape(n));
    NDArray logits = model.forward(store, in, training, Positions.of(at)).get(0);
    return new TokenFigures.Scores(
        logits.getShape().dimension() == 3 ? Positions.rows(logits, at) : logits,
        Buffers.create(manager, targets, new Shape(n)));
  }

  private Batch padded(List<long[]> ids) {
    return Batch.of(ids.stream().map(Tokens::of).toList(), padId, Side.RIGHT);
  }

  private long[] shifted(long[] target) {
    long[] out = new long[target.length];
    out[0] = startId;
    System.arraycopy(target, 0, out, 1, target.length - 1);
    return out;
  }

  @Override
  public Metrics evaluate(Block model, int batchSize) {
    return TokenFigures.of(
        this, batchSize, (store, manager, batch) -> scores(model, store, manager, batch, false));
  }

  @Override
  public String describe() {
    long tokens = rows.stream().mapToLong(r -> r.target.length).sum();
    return String.format(Locale.ROOT, "%,d rows, %,d tokens to learn", rows(), tokens);
  }
}
