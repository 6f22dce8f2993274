package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;

/**
 * SHiRA (Bhardwaj et al., arXiv 2406.13175): W0 with {@code r (in + out)} entries changed, at
 * random places; trained is what is added there, 0 at first.
 *
 * @param rank r: as many entries as a LoRA of that rank has; 0 for 32 or as much as the smallest
 *     weight has room for
 * @param placeSeed seed of the places as Hugging Face draws them; null for the adapter's own
 */
public record Shira(@Key("r") int rank, @Key("random_seed") @Nullable Long placeSeed)
    implements Additive, Keyed {
  private static final String VALUES = "shira_weight";
  private static final String INDICES = "shira_indices";

  private static final int USUAL = 32;

  /** Hugging Face's defaults: rank 32. */
  public Shira() {
    this(0, null);
  }

  public Shira {
    Checks.atLeast("r", 0, rank);
  }

  @Override
  public boolean namesBias() {
    return false;
  }

  @Override
  public Map<String, Object> constants() {
    return Map.of("init_weights", true, "mask_type", "random");
  }

  @Override
  public Shira sized(List<Site> sites) {
    long most =
        sites.stream().mapToLong(s -> s.shape().size() / (s.in() + s.out())).min().orElse(USUAL);
    return rank > 0 ? this : Keys.with(this, "r", (int) Math.max(1, Math.min(USUAL, most)));
  }

  @Override
  public void declare(Site site, Declaration theta) {
    int n = Math.toIntExact(rank * (site.in() + site.out()));
    Checks.atMost("r (in + out)", site.path(), site.shape().size(), n);
    theta.trained(VALUES, new Shape(n), Init.ZEROS);
    theta.saved(INDICES, new Shape(2, n), (c, shape) -> indices(c, site, n));
  }

  private NDArray indices(Init.Context c, Site site, int n) {
    long seed = placeSeed != null ? placeSeed : c.seed().bits(0) >>> 32;
    int[] places = Places.of(site, seed, n);
    Arrays.sort(places);
    int in = Math.toIntExact(site.in());
    return Buffers.create(
        c.manager(),
        new Shape(2, n),
        DataType.INT32,
        out -> {
          Arrays.stream(places).forEach(p -> out.putInt(p / in));
          Arrays.stream(places).forEach(p -> out.putInt(p % in));
        });
  }

  @Override
  public NDArray delta(At at) {
    long in = at.site().in();
    NDArray indices = at.theta(INDICES).toType(DataType.INT64, false);
    NDArray perRow = Buffers.create(indices.getManager(), new long[] {in}, new Shape());
    NDArray places = indices.get(0).mul(perRow).add(indices.get(1));
    return Places.fill(at.theta(VALUES), places, at.site().out(), in);
  }

  @Override
  public String summary() {
    return rank > 0 ? "rank " + rank : "rank 32, if there is room";
  }

  /** The options, for {@code Peft.shira(model)}. */
  public static final class Options<R> extends Keyed.Options<Shira, Options<R>, R> {
    private Options(Draft<Shira, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Shira(), target));
    }

    /** r: r (in + out) entries are changed; default 32, or fewer in a small weight. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** Seed of the places; default the adapter's own. */
    public Options<R> placeSeed(long seed) {
      return set("random_seed", seed);
    }
  }
}
