package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Qr;

/**
 * LoRA-FA (Zhang et al., arXiv 2308.03303): LoRA whose A keeps its random values, so that training
 * stores r numbers per token instead of the input. With orthonormal rows it is the frozen-A half of
 * Zhu et al., arXiv 2402.16842 (AsyLoRA). What is saved is a LoRA.
 *
 * @param orthogonal whether A's rows are orthonormal rather than Kaiming-uniform
 */
public record LoraFa(Lora lora, boolean orthogonal) implements OnLora {
  /** LoRA's defaults, A Kaiming-uniform. */
  public LoraFa() {
    this(new Lora(), false);
  }

  public LoraFa {
    if (lora.init() != LoraInit.KAIMING && lora.init() != LoraInit.GAUSSIAN) {
      throw new IllegalArgumentException(
          "init: a frozen A starts kaiming or gaussian, found " + lora.init());
    }
  }

  @Override
  public String name() {
    return orthogonal ? "asylora" : "lora_fa";
  }

  @Override
  public LoraFa on(Lora other) {
    return new LoraFa(other, orthogonal);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    Declaration whole = new Declaration();
    lora.declare(site, whole);
    for (Declaration.Entry e : whole.entries()) {
      if (e.name().equals(Lora.A)) {
        theta.saved(e.name(), e.shape(), orthogonal ? LoraFa::orthonormal : e.init());
      } else if (e.name().equals(Lora.EMBEDDING_B)) {
        theta.saved(e.name(), e.shape(), e.init()); // an embedding's random factor
      } else {
        theta.trained(e.name(), e.shape(), e.init());
      }
    }
  }

  private static NDArray orthonormal(Init.Context c, Shape shape) {
    long r = shape.get(0);
    long in = shape.size() / r;
    if (r > in) {
      throw new IllegalArgumentException(
          "rank: at most " + in + " rows can be orthonormal here, was " + r);
    }
    NDArray random = c.seed().normal(c.manager(), new Shape(in, r), 1);
    return Qr.of(random).q().transpose().reshape(shape);
  }

  @Override
  public String summary() {
    return lora.summary() + (orthogonal ? ", A orthonormal and frozen" : ", A frozen");
  }

  static LoraFa fromConfig(Entries c) {
    return new LoraFa(Lora.fromConfig(c), false);
  }

  static LoraFa orthogonal(Entries c) {
    return new LoraFa(Lora.fromConfig(c), true);
  }

  /** The options, for {@code Peft.loraFa(model)} and {@code Peft.asyLora(model)}. */
  public static final class Options<R> extends LoraOptions<LoraFa, Options<R>, R> {
    private Options(Draft<LoraFa, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target, boolean orthogonal) {
      return new Options<>(draft(new LoraFa(new Lora(), orthogonal), target));
    }
  }
}
