package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Eigen;
import org.peft4j.tensor.MersenneTwister;
import org.peft4j.tensor.Qr;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Svd;

/**
 * FRoD: {@code W = U (S + diag(l)) V^T}, V {@code [in, in]} a basis that modules of one kind share,
 * from all of their weights, U {@code [out, in]} and l {@code [in]} the directions and lengths of
 * {@code W0 V^-T}, S {@code [in, in]} sparse and 0 at first. Trained are l and the entries of S.
 *
 * <p>U follows from the V of a file. Hugging Face computes it from a V of its own, whose signs are
 * up to the processor, before it reads that of a file: it reads right only what the same
 * installation wrote.
 *
 * @param dropout probability on the input of the branch
 * @param sparsity what part of the entries off the diagonal S has
 * @param ridge added to what is inverted on the way to V
 * @param placeSeed seed of the places of S
 */
public record Frod(
    @Key("frod_dropout") double dropout,
    @Key("sparse_rate") double sparsity,
    @Key("regularization_alpha") double ridge,
    @Key("projection_prng_key") long placeSeed)
    implements DropoutBranch {
  private static final String LENGTHS = "frod_lambda_l";
  private static final String VALUES = "frod_lambda_s_values";
  private static final String U = "frod_U";
  private static final String V = "frod_V.";
  private static final String PLACES = "frod_s_indices.";
  private static final String SIZE = "frod_s_size.";

  /** A direction that is shorter than this has no direction. */
  private static final double SHORTEST = 1e-12;

  /** Hugging Face's defaults: one in a hundred of the entries. */
  public Frod() {
    this(0, 0.01, 1e-3, 0);
  }

  public Frod {
    Checks.probability("dropout", dropout);
    Checks.finite("regularization_alpha", ridge);
    if (!(sparsity > 0 && sparsity <= 1)) {
      throw new IllegalArgumentException(
          "sparse_rate: expected a part above 0 and at most 1, found " + sparsity);
    }
  }

  static Frod fromConfig(Entries c) {
    Keyed.require(c, "save_projection", true);
    return Keyed.read(new Frod(), c);
  }

  @Override
  public Map<String, Object> constants() {
    return Map.of(
        "init_weights", true,
        "save_projection", true,
        "progressbar", true,
        "runtime_offload_base_weight", false);
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public boolean transposable() {
    return true;
  }

  /** The kind of module that Hugging Face takes this for, such as {@code self_attn_q_proj}. */
  static String kind(String path) {
    String[] parts = path.split("\\.");
    int n = parts.length;
    if (n == 1 || parts[n - 2].chars().allMatch(Character::isDigit)) {
      return parts[n - 1];
    }
    boolean attention = path.matches("(.*\\.)?attention\\.output\\.dense");
    return attention ? "attention_output" : parts[n - 2] + "_" + parts[n - 1];
  }

  private long entries(long in) {
    return Math.max(1, Math.min((long) (in * in * sparsity), in * in - in));
  }

  @Override
  public void declareShared(List<Site> sites, Declaration theta) {
    Map<String, List<Site>> kinds = new LinkedHashMap<>();
    sites.forEach(s -> kinds.computeIfAbsent(kind(s.path()), k -> new ArrayList<>()).add(s));
    kinds.forEach(
        (kind, of) -> {
          long in = of.get(0).in();
          theta.saved(
              V + kind, new Shape(in, in), (c, s) -> basis(c, of).toType(DataType.FLOAT32, false));
          theta.saved(PLACES + kind, new Shape(2, entries(in)), (c, s) -> places(c, in));
          theta.saved(
              SIZE + kind,
              new Shape(2),
              (c, s) -> Buffers.create(c.manager(), new long[] {in, in}, s));
        });
  }

  private NDArray places(Init.Context c, long in) {
    int n = Math.toIntExact(in);
    int[] chosen =
        new MersenneTwister(placeSeed).permutation(n * (n - 1), Math.toIntExact(entries(in)));
    long[] rows = Arrays.stream(chosen).mapToLong(p -> p / (n - 1)).toArray();
    long[] both = Arrays.copyOf(rows, 2 * rows.length);
    for (int i = 0; i < rows.length; i++) {
      long column = chosen[i] % (n - 1);
      both[rows.length + i] = column < rows[i] ? column : column + 1;
    }
    return Buffers.create(c.manager(), both, new Shape(2, rows.length));
  }

  /**
   * The weights that the basis of a kind is of: of each layer the last, in Hugging Face's order.
   */
  private static List<NDArray> weights(Init.Context c, List<Site> sites) {
    Pass plain = Pass.of(new ParameterStore(c.manager(), false), false);
    Map<Integer, NDArray> byLayer = new TreeMap<>();
    for (Site s : sites) {
      int layer = Site.layerOf(s.path());
      byLayer.put(layer < 0 ? byLayer.size() : layer, s.frozen().weight(plain));
    }
    return List.copyOf(byLayer.values());
  }

  /** As Hugging Face computes it, so that signs are the same on the same processor. */
  private NDArray basis(Init.Context c, List<Site> sites) {
    List<NDArray> weights = weights(c, sites);
    NDArray stacked = NDArrays.concat(new NDList(weights));
    if (stacked.getShape().get(0) < stacked.getShape().get(1)) {
      return Svd.of(stacked.transpose().matMul(stacked)).u();
    }
    Qr qr = Qr.of(stacked);
    NDArray eye = Scalars.mul(c.manager().eye((int) sites.get(0).in()), ridge);
    NDArray sum = c.manager().zeros(eye.getShape());
    long start = 0;
    for (NDArray w : weights) {
      NDArray q = qr.q().get("{}:{}", start, start + w.getShape().get(0));
      sum = sum.add(q.transpose().matMul(q).add(eye).inverse());
      start += w.getShape().get(0);
    }
    NDArray vectors = Eigen.of(Scalars.div(sum, weights.size())).vectors();
    return qr.r().transpose().matMul(vectors);
  }

  private static NDArray single(NDArray x) {
    return x.toType(DataType.FLOAT32, false);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    long in = site.in();
    String v = V + kind(site.path());
    theta.trained(LENGTHS, new Shape(in), (c, s) -> single(lengths(scaled(c, v))));
    theta.trained(VALUES, new Shape(entries(in)), Init.ZEROS);
    theta.following(
        U,
        new Shape(site.out(), in),
        (c, s) -> {
          NDArray scaled = scaled(c, v);
          NDArray lengths = lengths(scaled);
          return single(scaled.div(lengths.maximum(Scalars.of(lengths, SHORTEST))));
        });
  }

  /** {@code W0 V^-T}. */
  private static NDArray scaled(Init.Context c, String v) {
    NDArray inverse = c.shared(v).toType(DataType.FLOAT64, false).inverse();
    return c.w0().toType(DataType.FLOAT64, false).matMul(inverse.transpose());
  }

  private static NDArray lengths(NDArray columns) {
    return columns.norm(new int[] {0});
  }

  /** {@code S + diag(l)}. */
  private static NDArray middle(At at) {
    NDArray lengths = at.theta(LENGTHS);
    long in = at.site().in();
    NDArray indices = at.theta(PLACES + kind(at.site().path()));
    NDArray perRow = Buffers.create(indices.getManager(), new long[] {in}, new Shape());
    NDArray places = indices.get(0).mul(perRow).add(indices.get(1));
    NDArray eye = lengths.getManager().eye((int) in).toType(lengths.getDataType(), false);
    return Places.fill(at.theta(VALUES), places, in, in).add(eye.mul(lengths));
  }

  private static NDArray basis(At at) {
    return at.theta(V + kind(at.site().path()));
  }

  @Override
  public NDArray delta(At at) {
    NDArray w = at.theta(U).matMul(middle(at)).matMul(basis(at).transpose());
    return w.sub(at.w0());
  }

  @Override
  public NDArray forward(At at, NDArray x) {
    if (dropout > 0 && at.pass().training()) {
      return DropoutBranch.super.forward(at, x);
    }
    NDArray z = at.map(at.map(x, basis(at).transpose(), null), middle(at), null);
    return at.map(z, at.theta(U), at.b0());
  }

  @Override
  public String summary() {
    return Patterns.tidy(100 * sparsity)
        + " % of the entries"
        + (dropout > 0 ? ", dropout " + dropout : "");
  }

  /** The options, for {@code Peft.frod(model)}. */
  public static final class Options<R> extends Keyed.Options<Frod, Options<R>, R> {
    private Options(Draft<Frod, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Frod(), target));
    }

    /** What part of the entries off the diagonal is trained, above 0; default 0.01. */
    public Options<R> sparsity(double part) {
      return set("sparse_rate", part);
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      return set("frod_dropout", p);
    }
  }
}
