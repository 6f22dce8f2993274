package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.KMeans;
import org.peft4j.tensor.LowRankSvd;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Svd;
import org.peft4j.tensor.Torch;

/**
 * {@link Adamss} at one site, whose outputs are clustered.
 *
 * @param sizes number of outputs of every cluster
 * @param ranks p of every cluster
 * @param labels the cluster of every output; null where they are a file's, or only counted
 * @param told whether the file says which output is in which cluster
 */
record OutputClusters(
    Adamss method,
    List<Integer> sizes,
    List<Integer> ranks,
    @Nullable List<Integer> labels,
    boolean told)
    implements Additive, Keyed {
  static final String A = "adamss_A.";
  static final String B = "adamss_B.";
  static final String RESTING = "adamss_resting";
  static final String IMPORTANCE = ".importance";
  static final String UNCERTAINTY = ".uncertainty";
  private static final String V = "adamss_newB";

  /** For every output, its row among those of all clusters, one cluster below the other. */
  private static final String PLACES = "adamss_places";

  /** What Hugging Face starts scikit-learn's k-means with. */
  private static final long SEED = 123456789;

  /** The clusters that the weights of a site give; equal ones where there are only sizes. */
  static OutputClusters of(Adamss method, Site site) {
    if (!site.frozen().parameters().get(0).isInitialized()) {
      int n = Math.toIntExact(site.out());
      int k = Math.min(method.clusters(), n);
      List<Integer> sizes = sizes(IntStream.range(0, n).mapToObj(i -> i % k).toList());
      List<Integer> ranks = sizes.stream().map(s -> Math.min(s, method.clusterRank())).toList();
      return new OutputClusters(method, sizes, ranks, null, false);
    }
    return Torch.inference(
        () -> {
          try (Scope scope = Scope.open();
              NDManager temporary = Torch.newManager()) {
            Pass plain = Pass.of(new ParameterStore(temporary, false), false);
            NDArray w0 = site.frozen().weight(plain);
            NDArray u = directions(method, w0, site.frozen().bias(plain)).u();
            List<Integer> labels = clustered(method, u).labels();
            List<Integer> sizes = sizes(labels);
            List<Integer> ranks = new ArrayList<>();
            for (int i = 0; i < sizes.size(); i++) {
              int most = (int) Math.min(method.clusterRank(), u.getShape().get(1));
              int all = Math.min(most, sizes.get(i));
              ranks.add(method.dynamicRank() ? significant(method, u, labels, i, all) : all);
            }
            return new OutputClusters(method, sizes, ranks, labels, false);
          }
        });
  }

  /** The clusters whose tensors have these shapes in a file, or null. */
  static @Nullable OutputClusters of(Adamss method, Function<String, @Nullable Shape> shapes) {
    List<Integer> sizes = new ArrayList<>();
    List<Integer> ranks = new ArrayList<>();
    for (Shape s = shapes.apply(B + 0); s != null; s = shapes.apply(B + sizes.size())) {
      if (s.dimension() != 2) {
        return null;
      }
      sizes.add((int) s.get(0));
      ranks.add((int) s.get(1));
    }
    boolean told = shapes.apply(PLACES) != null;
    return sizes.isEmpty() ? null : new OutputClusters(method, sizes, ranks, null, told);
  }

  private static Svd directions(Adamss method, NDArray w0, @Nullable NDArray b0) {
    NDArray all = b0 == null ? w0 : w0.concat(b0.expandDims(1), 1);
    return LowRankSvd.of(all, directions(method, all.getShape()), method.directionSeed());
  }

  private static int directions(Adamss method, Shape all) {
    return (int) Math.min(method.rank(), Math.min(all.get(0), all.get(1)));
  }

  private static KMeans clustered(Adamss method, NDArray u) {
    return KMeans.of(u, (int) Math.min(method.clusters(), u.getShape().get(0)), SEED);
  }

  private static List<Integer> sizes(List<Integer> labels) {
    int[] sizes = new int[Collections.max(labels) + 1];
    labels.forEach(l -> sizes[l]++);
    return Arrays.stream(sizes).boxed().toList();
  }

  private static int significant(
      Adamss method, NDArray u, List<Integer> labels, int cluster, int most) {
    double[] s = Svd.of(members(u, labels, cluster)).s().toDoubleArray();
    double least = method.threshold() * s[0] * s[0];
    int above = (int) Arrays.stream(s).filter(v -> v * v > least).count();
    return Math.max(1, Math.min(above, most));
  }

  /** Rows of U {@code [out, r]} of one cluster's outputs. */
  private static NDArray members(NDArray u, List<Integer> labels, int cluster) {
    long[] rows =
        IntStream.range(0, labels.size())
            .filter(i -> labels.get(i) == cluster)
            .mapToLong(i -> i)
            .toArray();
    NDArray ids = Buffers.create(u.getManager(), rows, new Shape(rows.length));
    return Operation.EMBEDDING.apply(ids, u, null);
  }

  @Override
  public String name() {
    return method.name();
  }

  @Override
  public void declare(Site site, Declaration theta) {
    long in = site.in() + (site.hasBias() ? 1 : 0);
    int r = directions(method, new Shape(site.out(), in));
    for (int i = 0; i < sizes.size(); i++) {
      theta.trained(A + i, new Shape(ranks.get(i), r), rows(site, i));
      theta.trained(B + i, new Shape(sizes.get(i), ranks.get(i)), Init.ZEROS);
    }
    theta.saved(
        V, new Shape(r, in), labels == null ? Init.ZEROS : (c, s) -> single(svd(c, site).vh()));
    theta.optional(PLACES, new Shape(site.out()), (c, s) -> places(c, site));
    if (method.adaptive()) {
      for (Declaration.Entry e : theta.entries()) {
        if (e.role() == Declaration.Role.TRAINED) {
          theta.state(e.name() + IMPORTANCE, e.shape());
          theta.state(e.name() + UNCERTAINTY, e.shape());
        }
      }
      theta.state(RESTING, new Shape(sizes.size())); // 1 where a cluster is trained no more
    }
  }

  private static NDArray single(NDArray x) {
    return x.toType(DataType.FLOAT32, false);
  }

  private Svd svd(Init.Context c, Site site) {
    return c.once("directions", () -> directions(method, c.w0(), site.hasBias() ? c.b0() : null));
  }

  /** The largest directions among a cluster's rows of U. */
  private Init rows(Site site, int cluster) {
    List<Integer> known = labels;
    return known == null
        ? Init.ZEROS
        : (c, shape) -> {
          Svd inside = Svd.of(members(svd(c, site).u(), known, cluster));
          return single(inside.vh().get(":{}", shape.get(0)));
        };
  }

  private NDArray places(Init.Context c, Site site) {
    List<Integer> of = labels != null ? labels : told ? List.of() : found(c, site);
    int[] next = new int[sizes.size()];
    for (int i = 1; i < next.length; i++) {
      next[i] = next[i - 1] + sizes.get(i - 1);
    }
    Shape shape = new Shape(site.out());
    return Buffers.create(
        c.manager(), shape, DataType.INT32, out -> of.forEach(label -> out.putInt(next[label]++)));
  }

  /** The clusters of a file that has their sizes alone. */
  private List<Integer> found(Init.Context c, Site site) {
    KMeans found = clustered(method, svd(c, site).u());
    List<Integer> sizes = sizes(found.labels());
    if (found.tied() || !sizes.equals(this.sizes)) {
      throw new IllegalArgumentException(
          site.path()
              + ": the file does not say which output is in which cluster, and k-means "
              + (found.tied()
                  ? "is left to chance here, all outputs being equally far apart in "
                      + Math.min(method.rank(), site.out())
                      + " directions\nexpected: an r below the number of outputs, "
                      + site.out()
                      + "\nfound: "
                      + method.rank()
                      + "\nfix: train it anew with a smaller r"
                  : "finds others in this model's weights\nexpected: clusters of "
                      + this.sizes
                      + " outputs\nfound: "
                      + sizes
                      + "\nfix: load it onto the weights it was trained on, not quantised or"
                      + " rounded otherwise"));
    }
    return found.labels();
  }

  /** {@code P [B_1 A_1; ...]}, {@code [out, r]}. */
  private NDArray mixed(At at) {
    NDList parts = new NDList();
    for (int i = 0; i < sizes.size(); i++) {
      parts.add(at.theta(B + i).matMul(at.theta(A + i)));
    }
    NDArray all = parts.size() == 1 ? parts.get(0) : NDArrays.concat(parts); // DJL copies one
    return Operation.EMBEDDING.apply(at.theta(PLACES).toType(DataType.INT64, false), all, null);
  }

  private static NDArray weights(At at) {
    return at.theta(V).get(":, :{}", at.site().in());
  }

  private static @Nullable NDArray biases(At at) {
    return at.site().hasBias() ? at.theta(V).get(":, {}", at.site().in()) : null;
  }

  @Override
  public NDArray delta(At at) {
    return mixed(at).matMul(weights(at));
  }

  @Override
  public @Nullable NDArray biasDelta(At at) {
    NDArray biases = biases(at);
    return biases == null ? null : mixed(at).matMul(biases.expandDims(1)).squeeze(1);
  }

  @Override
  public NDArray branch(At at, NDArray x) {
    return at.map(at.map(x, weights(at), biases(at)), mixed(at), null);
  }

  @Override
  public boolean rests(At at, String tensor) {
    int cluster = Integer.parseInt(tensor.substring(tensor.lastIndexOf('.') + 1));
    return method.adaptive() && at.theta(RESTING).toFloatArray()[cluster] == 1;
  }
}
