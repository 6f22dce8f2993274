package org.peft4j.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.Map;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Init;

/**
 * A cartridge (Eyuboglu et al., arXiv 2506.06266): a prefix of keys and values as in {@link
 * PrefixTuning} that stands for a document, {@code [F; T]}, its first f tokens F frozen, the others
 * T trained. The frozen ones are what every text's attention falls back on.
 *
 * @param tokens k, at least 1
 * @param frozen f, from 0 to k - 1
 */
public record Cartridge(int tokens, int frozen) implements Prefix {
  private static final String T = "trainable_embedding";
  private static final String FROZEN = "num_frozen_tokens";

  /** 20 virtual tokens, the first of them frozen. */
  public Cartridge() {
    this(20, 1);
  }

  public Cartridge {
    Virtual.check(tokens);
    Checks.atLeast(FROZEN, 0, frozen);
    if (frozen >= tokens) {
      throw new IllegalArgumentException(
          FROZEN
              + "\nexpected: fewer than the "
              + tokens
              + " virtual tokens\nfound: "
              + frozen
              + "\nfix: leave some to train");
    }
  }

  @Override
  public String name() {
    return "cartridge";
  }

  @Override
  public String peftType() {
    return "CARTRIDGE";
  }

  @Override
  public void declare(Anatomy model, Declaration theta) {
    long all = Prefix.all(model);
    theta.saved(EMBEDDINGS, new Shape(tokens, all), Init.normal(1));
    theta.folded(
        T, new Shape(tokens - frozen, all), (c, shape) -> c.shared(EMBEDDINGS).get("{}:", frozen));
  }

  @Override
  public NDArray vectors(View view) {
    NDArray t = view.get(T);
    return frozen == 0 ? t : view.get(EMBEDDINGS).get(":{}", frozen).concat(t, 0);
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put(Virtual.TOKENS, tokens);
    c.put(FROZEN, frozen);
    return c;
  }

  static Cartridge fromConfig(Entries c) {
    return new Cartridge(c.integer(Virtual.TOKENS, 20), c.integer(FROZEN, 1));
  }

  @Override
  public String summary() {
    return tokens + " virtual tokens in every layer, " + frozen + " of them frozen";
  }

  /** The options, for {@code Peft.cartridge(model)}. */
  public static final class Options<R> extends Fluent<Cartridge, Options<R>, R> {
    private Options(Draft<Cartridge, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Cartridge(), target));
    }

    /** Number of virtual tokens; default 20. */
    public Options<R> tokens(int n) {
      return with(new Cartridge(n, tuner().frozen));
    }

    /** How many of them, from the first on, stay as they are; default 1. */
    public Options<R> frozen(int n) {
      return with(new Cartridge(tuner().tokens, n));
    }
  }
}
