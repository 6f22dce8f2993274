package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Additive;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;

/**
 * GLoRA (Chavan et al., arXiv 2306.07967): {@code W = W0 + W0 o A + B}, {@code b = b0 + b0 o D + E
 * + W0 C} (o: element by element), each of A to E a low-rank product, a vector, a number, or
 * nothing. All start at zero. Where a layer has no bias, C, D and E are nothing.
 *
 * @param rank r of the low-rank ones
 * @param weights what A and B are
 * @param input what C is: low-rank, a vector, or nothing
 * @param biases what D and E are: vectors, numbers, or nothing
 */
public record Glora(int rank, Support weights, Support input, Support biases) implements Additive {
  /** What one of the five is. */
  public enum Support {
    LORA,
    VECTOR,
    CONSTANT,
    NONE;

    private static Support of(String key, String text) {
      for (Support s : values()) {
        if (s.toString().equals(text.toLowerCase(Locale.ROOT))) {
          return s;
        }
      }
      throw new IllegalArgumentException(
          key + "\nexpected: lora, vector, constant or none\nfound: " + text);
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Hugging Face's defaults: rank 8, A, B and C low-rank, D and E numbers. */
  public Glora() {
    this(8, Support.LORA, Support.LORA, Support.CONSTANT);
  }

  public Glora {
    Checks.rank(rank);
    if (input == Support.CONSTANT || biases == Support.LORA) {
      throw new IllegalArgumentException(
          "config_C, config_D_E\nexpected: C lora, vector or none; D and E vector, constant or none\nfound: "
              + input
              + " and "
              + biases);
    }
  }

  @Override
  public String name() {
    return "glora";
  }

  @Override
  public String peftType() {
    return "GLORA";
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    long out = site.out();
    for (String name : new String[] {"glora_A", "glora_B"}) {
      declare(theta, name, weights, new Shape(out, site.in()), new Shape(out, 1));
    }
    Support c = site.hasBias() ? input : Support.NONE;
    declare(theta, "glora_C", c, new Shape(site.in(), 1), new Shape(site.in(), 1));
    Support de = site.hasBias() ? biases : Support.NONE;
    for (String name : new String[] {"glora_D", "glora_E"}) {
      declare(theta, name, de, new Shape(out), new Shape(out));
    }
  }

  private void declare(Declaration theta, String name, Support support, Shape whole, Shape vector) {
    switch (support) {
      case LORA -> {
        theta.trained(name + ".Xd", new Shape(whole.get(0), rank), Init.ZEROS);
        theta.trained(name + ".Xu", new Shape(rank, whole.get(1)), Init.KAIMING);
      }
      case VECTOR -> theta.trained(name + ".X", vector, Init.ZEROS);
      case CONSTANT -> theta.trained(name + ".X", new Shape(1), Init.ZEROS);
      case NONE -> theta.saved(name + ".zeros", whole, Init.ZEROS); // files have them
    }
  }

  /** The support's value, broadcastable to its place; null where it is nothing. */
  private static @Nullable NDArray value(At at, String name) {
    NDArray down = at.thetaOrNull(name + ".Xd");
    return down != null ? down.matMul(at.theta(name + ".Xu")) : at.thetaOrNull(name + ".X");
  }

  @Override
  public NDArray delta(At at) {
    NDArray a = value(at, "glora_A");
    NDArray b = value(at, "glora_B");
    NDArray w0 = at.w0();
    return a == null || b == null ? w0.zerosLike() : w0.mul(a).add(b);
  }

  @Override
  public @Nullable NDArray biasDelta(At at) {
    NDArray b0 = at.b0();
    if (b0 == null) {
      return null;
    }
    NDArray sum = b0.zerosLike();
    NDArray c = value(at, "glora_C");
    if (c != null) {
      sum = sum.add(at.frozenWithoutBias(c.transpose()).reshape(-1));
    }
    NDArray d = value(at, "glora_D");
    NDArray e = value(at, "glora_E");
    return d == null || e == null ? sum : sum.add(b0.mul(d)).add(e);
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("r", rank);
    c.put("config_A_B", weights.toString());
    c.put("config_C", input.toString());
    c.put("config_D_E", biases.toString());
    c.put("init_weights", true);
    return c;
  }

  static Glora fromConfig(Entries c) {
    c.accept("init_weights");
    return new Glora(
        c.integer("r", 8),
        Support.of("config_A_B", c.text("config_A_B", "lora")),
        Support.of("config_C", c.text("config_C", "lora")),
        Support.of("config_D_E", c.text("config_D_E", "constant")));
  }

  @Override
  public String summary() {
    return "rank " + rank + ", A and B " + weights + ", C " + input + ", D and E " + biases;
  }

  /** The options, for {@code Peft.glora(model)}. */
  public static final class Options<R> extends Fluent<Glora, Options<R>, R> {
    private Options(Draft<Glora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Glora(), target));
    }

    /** r of the low-rank ones; default 8. */
    public Options<R> rank(int rank) {
      return with(new Glora(rank, tuner().weights, tuner().input, tuner().biases));
    }

    /** What A and B, C, and D and E are; default low-rank, low-rank, numbers. */
    public Options<R> supports(Support weights, Support input, Support biases) {
      return with(new Glora(tuner().rank, weights, input, biases));
    }
  }
}
