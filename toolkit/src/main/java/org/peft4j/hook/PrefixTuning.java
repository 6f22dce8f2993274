package org.peft4j.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.Map;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Init;
import org.peft4j.spi.Operation;

/**
 * Prefix tuning (Li and Liang, arXiv 2101.00190): in every layer the trained keys and values of k
 * virtual tokens stand in front of those of the text: {@code [k, layers 2 width]}, of which row
 * {@code 2 l} of {@code [2 layers, width]} are layer l's keys and {@code 2 l + 1} its values, width
 * = key heads x head size. In training they may come from a network, {@code tanh(e W1^T + b1) W2^T
 * + b2}, which a file does not keep.
 *
 * @param tokens k, at least 1
 * @param projection width of that network's hidden layer; 0 for none
 * @param zeros whether all is zero at first, rather than normal with deviation 1
 */
public record PrefixTuning(int tokens, int projection, boolean zeros) implements Prefix {
  private static final String E = "embedding.weight";
  private static final String W1 = "transform.0.weight";
  private static final String B1 = "transform.0.bias";
  private static final String W2 = "transform.2.weight";
  private static final String B2 = "transform.2.bias";

  /** 20 virtual tokens without a network. */
  public PrefixTuning() {
    this(20, 0, false);
  }

  public PrefixTuning {
    Virtual.check(tokens);
    if (projection < 0) {
      throw new IllegalArgumentException(
          "encoder_hidden_size: expected a width, or 0 for none, found " + projection);
    }
  }

  @Override
  public String name() {
    return "prefix_tuning";
  }

  @Override
  public String peftType() {
    return "PREFIX_TUNING";
  }

  @Override
  public void declare(Anatomy model, Declaration theta) {
    long width = Prefix.width(model);
    long all = Prefix.all(model);
    if (projection == 0) {
      theta.trained(EMBEDDINGS, new Shape(tokens, all), zeros ? Init.ZEROS : Init.normal(1));
      return;
    }
    theta.trained(E, new Shape(tokens, width), Init.normal(1));
    theta.trained(W1, new Shape(projection, width), Init.KAIMING);
    theta.trained(B1, new Shape(projection), Init.uniform(1 / Math.sqrt(width)));
    theta.trained(W2, new Shape(all, projection), zeros ? Init.ZEROS : Init.KAIMING);
    theta.trained(B2, new Shape(all), zeros ? Init.ZEROS : Init.uniform(1 / Math.sqrt(projection)));
  }

  @Override
  public NDArray vectors(View view) {
    if (projection == 0) {
      return view.get(EMBEDDINGS);
    }
    NDArray h = Operation.LINEAR.apply(view.get(E), view.get(W1), view.get(B1)).tanh();
    return Operation.LINEAR.apply(h, view.get(W2), view.get(B2));
  }

  // ---- its file

  @Override
  public Hook filed() {
    return new PrefixTuning(tokens, 0, zeros);
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put(Virtual.TOKENS, tokens);
    c.put("prefix_projection", projection > 0);
    c.put("encoder_hidden_size", projection > 0 ? projection : Entries.NULL);
    c.put("init_weights", zeros ? "zero" : Entries.NULL);
    return c;
  }

  /** A file has the keys and values themselves, whatever made them. */
  static PrefixTuning fromConfig(Entries c) {
    boolean projected = c.flag("prefix_projection", false);
    int width = c.integer("encoder_hidden_size", 0);
    if (c.has("init_weights") && !c.text("init_weights", "").equals("zero")) {
      throw new IllegalArgumentException(
          "init_weights\nexpected: null or \"zero\"\nfound: " + c.text("init_weights", ""));
    }
    return new PrefixTuning(
        c.integer(Virtual.TOKENS, 20), projected ? width : 0, c.has("init_weights"));
  }

  @Override
  public String summary() {
    return tokens
        + " virtual tokens in every layer"
        + (projection > 0 ? ", made by a network of width " + projection : "")
        + (zeros ? ", zero at first" : "");
  }

  /** Prefix tuning's options, for {@code Peft.prefixTuning(model)}. */
  public static final class Options<R> extends Fluent<PrefixTuning, Options<R>, R> {
    private Options(Draft<PrefixTuning, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new PrefixTuning(), target));
    }

    /** Number of virtual tokens; default 20. */
    public Options<R> tokens(int n) {
      return with(new PrefixTuning(n, tuner().projection, tuner().zeros));
    }

    /**
     * Trains a network of this width that makes the prefix; 0 (default) trains the prefix itself.
     */
    public Options<R> projection(int width) {
      return with(new PrefixTuning(tuner().tokens, width, tuner().zeros));
    }

    /** Starts from zero keys and values rather than from noise. */
    public Options<R> fromZero() {
      return with(new PrefixTuning(tuner().tokens, tuner().projection, true));
    }
  }
}
