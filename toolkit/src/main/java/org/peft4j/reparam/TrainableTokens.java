package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.ToIntFunction;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.Buffers;

/**
 * Trainable tokens: the embeddings of n tokens are trained, all others stay. {@code W = W0} with
 * the rows {@code tokenIndices} replaced by {@code theta [n, dim]}, which starts at those rows. A
 * head that is tied to the embeddings changes with them. Without targets: the token embeddings.
 *
 * @param tokenIndices rows of the table, distinct, from 0
 * @param initWeights whether theta starts at the rows of W0 rather than at random
 */
public record TrainableTokens(List<Integer> tokenIndices, boolean initWeights) implements Reparam {
  private static final String ROWS = "trainable_tokens_delta"; // Hugging Face's name; no difference

  /** No tokens yet. */
  public TrainableTokens() {
    this(List.of(), true);
  }

  public TrainableTokens {
    tokenIndices = List.copyOf(tokenIndices);
    if (new LinkedHashSet<>(tokenIndices).size() != tokenIndices.size()
        || tokenIndices.stream().anyMatch(t -> t < 0)) {
      throw new IllegalArgumentException(
          "token_indices\nexpected: distinct ids of tokens, from 0\nfound: " + tokenIndices);
    }
  }

  @Override
  public String name() {
    return "trainable_tokens";
  }

  @Override
  public String peftType() {
    return "TRAINABLE_TOKENS";
  }

  /** A linear map among them is a head: its rows are tokens too. */
  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.EMBEDDING, Kind.LINEAR);
  }

  @Override
  public List<String> usualTargets(List<Site> sites) {
    List<Site> tables = sites.stream().filter(s -> s.kind() == Kind.EMBEDDING).toList();
    return tables.stream()
        .filter(s -> "embed".equals(s.role()))
        .findFirst()
        .or(() -> tables.stream().findFirst())
        .map(s -> List.of(s.path()))
        .orElse(List.of("embed"));
  }

  @Override
  public boolean followsTies() {
    return true;
  }

  @Override
  public void declare(Site site, Declaration theta) {
    long rows = site.shape().get(0);
    if (tokenIndices.isEmpty()) {
      throw new IllegalArgumentException(
          "token_indices\nexpected: at least one token\nfound: none\nfix: .tokens(id, ...)");
    }
    if (tokenIndices.stream().anyMatch(t -> t >= rows)) {
      throw new IllegalArgumentException(
          "token_indices\nexpected: ids below "
              + rows
              + ", the rows of "
              + site.path()
              + "\nfound: "
              + tokenIndices
              + "\nfix: resizeEmbeddings(n) makes room for new tokens");
    }
    Shape shape = new Shape(tokenIndices.size(), site.shape().get(1));
    theta.trained(ROWS, shape, initWeights ? (c, s) -> rows(c.manager(), c.w0()) : Init.normal(1));
  }

  private NDArray rows(NDManager manager, NDArray w0) {
    return Operation.EMBEDDING.apply(indices(manager), w0, null);
  }

  private NDArray indices(NDManager manager) {
    long[] ids = tokenIndices.stream().mapToLong(t -> t).toArray();
    return Buffers.create(manager, ids, new Shape(ids.length));
  }

  @Override
  public Weight effective(At at) {
    NDArray w0 = at.w0();
    NDArray rows = at.theta(ROWS);
    NDArray where = indices(w0.getManager()).expandDims(1).broadcast(rows.getShape());
    return new Weight(w0.scatter(where, rows, 0), at.b0());
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    return at.site().kind() == Kind.EMBEDDING ? lookUp(at, x) : Reparam.super.forward(at, x);
  }

  /** Looks up twice, in W0 and in {@code [0; theta]}, and takes from the second what is trained. */
  private NDArray lookUp(At at, NDArray ids) {
    NDArray rows = at.theta(ROWS);
    NDArray frozen = at.frozen(ids);
    NDArray nothing =
        rows.getManager().zeros(new Shape(1, rows.getShape().get(1)), rows.getDataType());
    NDArray table = nothing.getNDArrayInternal().concat(new NDList(rows), 0);
    NDArray places = places(ids.getManager(), at.site()).take(ids);
    NDArray trained = Operation.EMBEDDING.apply(places, table, null);
    NDArray ours = places.gt(0).expandDims(ids.getShape().dimension()).broadcast(frozen.getShape());
    return trained.getNDArrayInternal().where(ours, frozen);
  }

  /** For every token, 1 + its row in theta; 0 where it has none. */
  private NDArray places(NDManager manager, Site site) {
    long[] place = new long[Math.toIntExact(site.shape().get(0))];
    for (int i = 0; i < tokenIndices.size(); i++) {
      place[tokenIndices.get(i)] = i + 1L;
    }
    return Buffers.create(manager, place, new Shape(place.length));
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("token_indices", tokenIndices.stream().map(Integer::longValue).toList());
    c.put("init_weights", initWeights);
    return c;
  }

  static TrainableTokens fromConfig(Entries c) {
    return new TrainableTokens(c.integers("token_indices"), c.flag("init_weights", true));
  }

  @Override
  public String summary() {
    int n = tokenIndices.size();
    return n == 0 ? "embeddings of chosen tokens" : "embeddings of " + n + " tokens";
  }

  /** The options, for {@code Peft.trainableTokens(model)}. */
  public static final class Options<R> extends Fluent<TrainableTokens, Options<R>, R> {
    private final ToIntFunction<String> ids;

    private Options(Draft<TrainableTokens, R> draft, ToIntFunction<String> ids) {
      super(draft, other -> new Options<>(other, ids));
      this.ids = ids;
    }

    /**
     * The options.
     *
     * @param ids the id of a token as the model's tokenizer writes it
     */
    public static <R> Options<R> on(Target<R> target, ToIntFunction<String> ids) {
      return new Options<>(draft(new TrainableTokens(), target), ids);
    }

    /** The tokens to train, by their ids. */
    public Options<R> tokens(int... tokens) {
      List<Integer> list = Arrays.stream(tokens).boxed().toList();
      return with(new TrainableTokens(list, tuner().initWeights));
    }

    /** The tokens to train, as the tokenizer writes them, such as {@code [NEW]}. */
    public Options<R> tokens(String... tokens) {
      return tokens(Arrays.stream(tokens).mapToInt(ids).toArray());
    }

    /** Starts from random rows (normal, deviation 1) rather than from the model's. */
    public Options<R> fromNoise() {
      return with(new TrainableTokens(tuner().tokenIndices, false));
    }
  }
}
