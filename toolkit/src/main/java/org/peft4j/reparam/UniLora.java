package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Pcg64;

/**
 * Uni-LoRA (Li et al., arXiv 2506.00799): a LoRA all of whose numbers, at all sites, are those of
 * one trained vector {@code [d]}, each repeated as often as any other, over the root of how often,
 * in an order drawn from NumPy's generator: {@code W = W0 + B A}. It starts near W0, not at it.
 *
 * @param rank r
 * @param length d
 * @param orderSeed seed of the order, which files do not have, from 0 to 2^32 - 1
 * @param bound the vector is uniform within it at first
 * @param dropout probability on the input of the branch
 */
public record UniLora(
    @Key("r") int rank,
    @Key("theta_d_length") int length,
    @Key("proj_seed") long orderSeed,
    @Key("init_theta_d_bound") double bound,
    @Key("unilora_dropout") double dropout)
    implements DropoutBranch {
  private static final String VECTOR = "unilora_theta_d";
  private static final String ORDER = "unilora_indices";
  private static final String SCALES = "unilora_scales";

  /** Hugging Face's defaults: rank 4, 256 numbers. */
  public UniLora() {
    this(4, 256, 42, 0.02, 0);
  }

  public UniLora {
    Checks.rank(rank);
    Checks.atLeast("theta_d_length", 1, length);
    Checks.probability("dropout", dropout);
  }

  static UniLora fromConfig(Entries c) {
    Keyed.require(c, "save_indices", false);
    return Keyed.read(new UniLora(), c);
  }

  /** The method at the site whose numbers begin at {@code start} of the order. */
  private record Placed(UniLora method, int start) implements DropoutBranch {
    @Override
    public String name() {
      return method.name();
    }

    @Override
    public double dropout() {
      return method.dropout;
    }

    @Override
    public void declare(Site site, Declaration theta) {}

    @Override
    public NDArray delta(At at) {
      return method.delta(at, start);
    }
  }

  @Override
  public Map<String, Object> constants() {
    return Map.of("init_weights", true, "save_indices", false);
  }

  @Override
  public boolean transposable() {
    return true;
  }

  private int numbers(Site site) {
    return Math.toIntExact(rank * (site.in() + site.out()));
  }

  private int numbers(List<Site> sites) {
    return sites.stream().mapToInt(this::numbers).reduce(0, Math::addExact);
  }

  @Override
  public Map<Site, Reparam> plan(List<Site> sites) {
    Map<Site, Reparam> plan = new LinkedHashMap<>();
    int start = 0;
    for (Site s : sites) {
      plan.put(s, new Placed(this, start));
      start += numbers(s);
    }
    return plan;
  }

  @Override
  public void declareShared(List<Site> sites, Declaration theta) {
    int all = numbers(sites);
    theta.trained(VECTOR, new Shape(length), Init.uniform(bound));
    theta.derived(ORDER, new Shape(all), (c, shape) -> ints(c, order(c, all)));
    theta.derived(
        SCALES,
        new Shape(length),
        (c, shape) -> Buffers.create(c.manager(), scales(order(c, all)), shape));
  }

  private static NDArray ints(Init.Context c, int[] values) {
    Shape shape = new Shape(values.length);
    return Buffers.create(c.manager(), shape, DataType.INT32, out -> out.asIntBuffer().put(values));
  }

  private int[] order(Init.Context c, int all) {
    return c.once(ORDER, () -> order(all));
  }

  /** Every number as often as any other, some of them once more, shuffled. */
  private int[] order(int all) {
    Pcg64 random = new Pcg64(orderSeed);
    int each = all / length;
    int[] order = new int[all];
    for (int i = 0; i < each * length; i++) {
      order[i] = i / each;
    }
    int[] more = random.choice(length, all % length);
    System.arraycopy(more, 0, order, each * length, more.length);
    random.shuffle(order);
    return order;
  }

  @Override
  public void declare(Site site, Declaration theta) {}

  @Override
  public NDArray delta(At at) {
    return delta(at, 0);
  }

  private NDArray delta(At at, int start) {
    NDArray order = at.theta(ORDER).toType(DataType.INT64, false);
    NDArray vector = at.theta(VECTOR).mul(at.theta(SCALES));
    int split = start + Math.toIntExact(rank * at.site().in());
    int end = start + numbers(at.site());
    NDArray table = vector.expandDims(1);
    NDArray a = Operation.EMBEDDING.apply(order.get("{}:{}", start, split), table, null);
    NDArray b = Operation.EMBEDDING.apply(order.get("{}:{}", split, end), table, null);
    return b.reshape(at.site().out(), rank).matMul(a.reshape(rank, at.site().in()));
  }

  /** One over the root of how often each number stands in the order. */
  private float[] scales(int[] order) {
    int[] often = new int[length];
    Arrays.stream(order).forEach(i -> often[i]++);
    float[] out = new float[length];
    for (int i = 0; i < length; i++) {
      out[i] = often[i] == 0 ? 0 : (float) (1 / Math.sqrt(often[i]));
    }
    return out;
  }

  @Override
  public String summary() {
    return "rank "
        + rank
        + " of "
        + length
        + " numbers"
        + (dropout > 0 ? ", dropout " + dropout : "");
  }

  /** The options, for {@code Peft.uniLora(model)}. */
  public static final class Options<R> extends Keyed.Options<UniLora, Options<R>, R> {
    private Options(Draft<UniLora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new UniLora(), target));
    }

    /** r, at least 1; default 4. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** d, how many numbers are trained in all; default 256. */
    public Options<R> numbers(int d) {
      return set("theta_d_length", d);
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      return set("unilora_dropout", p);
    }
  }
}
