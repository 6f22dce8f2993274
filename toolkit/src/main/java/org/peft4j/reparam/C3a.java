package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.Map;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scalars;

/**
 * C3A (Chen et al., arXiv 2407.19342): {@code W = W0 + C / in}, C of circulant blocks {@code [b,
 * b]}: row k of a block is its kernel, 0 at first, moved by k.
 *
 * @param blockSize b, a divisor of inputs and outputs; 0 for the largest one up to 256
 * @param blockSizePattern b by module
 */
public record C3a(
    @Key("block_size") int blockSize,
    @Key(value = "block_size_pattern", replaces = "block_size")
        Map<String, Integer> blockSizePattern)
    implements Additive, Keyed {
  private static final String KERNEL = "c3a_kernel";

  /** Blocks as large as they can be. */
  public C3a() {
    this(0, Map.of());
  }

  public C3a {
    Checks.atLeast("block_size", 0, blockSize);
    blockSizePattern = Patterns.ordered(blockSizePattern);
  }

  @Override
  public C3a sized(List<Site> sites) {
    return blockSize > 0 ? this : Keys.with(this, "block_size", Divisors.common(sites, 256));
  }

  @Override
  public void declare(Site site, Declaration theta) {
    Checks.divides("block_size", blockSize, "inputs of " + site.path(), site.in());
    Checks.divides("block_size", blockSize, "outputs of " + site.path(), site.out());
    Shape kernels = new Shape(site.out() / blockSize, site.in() / blockSize, blockSize);
    theta.trained(KERNEL, kernels, Init.ZEROS);
  }

  @Override
  public NDArray delta(At at) {
    NDArray w = at.theta(KERNEL);
    long b = blockSize;
    long rows = w.getShape().get(0);
    long columns = w.getShape().get(1);
    NDArray moved =
        Buffers.create(
            w.getManager(),
            new Shape(b, b),
            DataType.INT64,
            out -> {
              for (long k = 0; k < b; k++) {
                for (long a = 0; a < b; a++) {
                  out.putLong((a - k + b) % b);
                }
              }
            });
    NDArray byPlace = w.reshape(rows * columns, b).transpose();
    NDArray blocks = Operation.EMBEDDING.apply(moved, byPlace, null); // [b, b, rows columns]
    NDArray c = blocks.reshape(b, b, rows, columns).transpose(2, 0, 3, 1);
    return Scalars.div(c.reshape(rows * b, columns * b), columns * b);
  }

  @Override
  public String summary() {
    return blockSize > 0 ? "blocks of " + blockSize : "blocks of up to 256";
  }

  /** The options, for {@code Peft.c3a(model)}. */
  public static final class Options<R> extends Keyed.Options<C3a, Options<R>, R> {
    private Options(Draft<C3a, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new C3a(), target));
    }

    /** Size of the blocks, a divisor of inputs and outputs; default the largest up to 256. */
    public Options<R> blockSize(int size) {
      return set("block_size", size);
    }
  }
}
