package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Svd;

/**
 * MiCA (arXiv 2604.01694): LoRA whose B is the r left singular vectors of W0 with the smallest
 * singular values, and stays so; A starts at 0 and is trained. What is learnt goes where the model
 * says least.
 */
public record Mica(Lora lora) implements OnLora {
  private static final String INIT = "init_lora_weights";

  /** On LoRA's defaults. */
  public Mica() {
    this(new Lora());
  }

  public Mica {
    if (lora.init() != LoraInit.KAIMING || lora.loraBias()) {
      throw new IllegalArgumentException(
          "init, lora_bias: MiCA has a start of its own and no bias\nfound: "
              + lora.init()
              + (lora.loraBias() ? " with a bias" : ""));
    }
  }

  @Override
  public String name() {
    return "mica";
  }

  @Override
  public Mica on(Lora other) {
    return new Mica(other);
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR, Kind.EMBEDDING);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    boolean embedding = site.kind() == Kind.EMBEDDING;
    LoraInit.atMost(lora.rank(), site.shape());
    theta.trained(
        embedding ? Lora.EMBEDDING_A : Lora.A, new Shape(lora.rank(), site.in()), Init.ZEROS);
    theta.saved(
        embedding ? Lora.EMBEDDING_B : Lora.B,
        new Shape(site.out(), lora.rank()),
        (c, shape) -> minor(embedding ? c.w0().transpose() : c.w0(), shape));
  }

  private static NDArray minor(NDArray w, Shape shape) {
    NDArray u = Svd.precise(w).u();
    return u.get(":, " + (u.getShape().get(1) - shape.get(1)) + ":");
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>(lora.toConfig());
    c.put(INIT, name());
    return c;
  }

  static boolean in(Entries c) {
    return "mica".equals(c.textOrFlag(INIT, true));
  }

  static Mica fromConfig(Entries c) {
    return new Mica(Lora.fromConfig(c));
  }

  @Override
  public String summary() {
    return lora.summary() + ", B the smallest directions";
  }

  /** The options, for {@code Peft.mica(model)}. */
  public static final class Options<R> extends LoraOptions<Mica, Options<R>, R> {
    private Options(Draft<Mica, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Mica(), target));
    }
  }
}
