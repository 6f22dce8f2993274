package org.peft4j.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Context;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Init;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Place;
import org.peft4j.spi.Sublayer;
import org.peft4j.tensor.ActivationFunction;
import org.peft4j.tensor.Scalars;

/**
 * The bottleneck adapter of Pfeiffer et al. (arXiv 2005.00247): behind the feed-forward part of
 * every layer, {@code A(x) = scaling (act(x D^T + d) U^T + u)} with D {@code [hidden / reduction,
 * hidden]} and U {@code [hidden, hidden / reduction]}. With the part's output h, its input r and
 * the layer's normalisation LN, the layer gives {@code LN(A(LN(h + r)) + h + r)}, where a model
 * normalises in front {@code A(h + r) + h + r}, as AdapterHub computes both.
 *
 * @param reduction hidden size over bottleneck size, above 0
 * @param activation act
 * @param scaling what the branch is multiplied by
 * @param dropout probability on the branch's input, in training
 */
public record Pfeiffer(double reduction, String activation, double scaling, double dropout)
    implements Hook {
  private static final String DOWN = ".adapter_down";
  private static final String UP = ".adapter_up";
  private static final double DEVIATION = 0.02;

  /** A sixteenth of the hidden size, ReLU. */
  public Pfeiffer() {
    this(16, "relu", 1, 0);
  }

  public Pfeiffer {
    Checks.positive("reduction_factor", reduction);
    ActivationFunction.of(activation, "non_linearity");
    Checks.finite("scaling", scaling);
    Checks.probability("dropout", dropout);
  }

  @Override
  public String name() {
    return "pfeiffer";
  }

  /** Hugging Face PEFT has no such method; the file says so by a name that it does not know. */
  @Override
  public String peftType() {
    return "PFEIFFER";
  }

  @Override
  public boolean choosesLayers() {
    return true;
  }

  @Override
  public void declare(Anatomy model, Declaration theta) {
    long hidden = model.hidden();
    long narrow = Math.max(1, (long) (hidden / reduction));
    for (String layer : model.paths()) {
      theta.trained(layer + DOWN + ".weight", new Shape(narrow, hidden), Init.normal(DEVIATION));
      theta.trained(layer + DOWN + ".bias", new Shape(narrow), Init.ZEROS);
      theta.trained(layer + UP + ".weight", new Shape(hidden, narrow), Init.normal(DEVIATION));
      theta.trained(layer + UP + ".bias", new Shape(hidden), Init.ZEROS);
    }
  }

  @Override
  public @Nullable NDArray sublayer(View view, Context context, Place at, Sublayer s) {
    if (at.part() != Place.Part.FEED_FORWARD || !view.has(at.path() + DOWN + ".weight")) {
      return null;
    }
    NDArray sum = s.output().add(s.residual());
    NDArray x = view.dropout(at.path() + DOWN, dropout, s.norm().apply(sum));
    NDArray low =
        ActivationFunction.of(activation, name()).apply(linear(view, at.path() + DOWN, x));
    NDArray branch = linear(view, at.path() + UP, low);
    return s.norm().apply((scaling == 1 ? branch : Scalars.mul(branch, scaling)).add(sum));
  }

  private static NDArray linear(View view, String module, NDArray x) {
    return Operation.LINEAR.apply(x, view.get(module + ".weight"), view.get(module + ".bias"));
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("reduction_factor", reduction);
    c.put("non_linearity", activation);
    c.put("scaling", scaling);
    c.put("dropout", dropout);
    return c;
  }

  static Pfeiffer fromConfig(Entries c) {
    return new Pfeiffer(
        c.number("reduction_factor", 16),
        c.text("non_linearity", "relu"),
        c.number("scaling", 1),
        c.number("dropout", 0));
  }

  @Override
  public String summary() {
    return "reduction "
        + (reduction == Math.rint(reduction) ? String.valueOf((long) reduction) : reduction)
        + ", "
        + activation
        + (scaling == 1 ? "" : ", scaling " + scaling)
        + (dropout > 0 ? ", dropout " + dropout : "");
  }

  /** The options, for {@code Peft.pfeiffer(model)}. */
  public static final class Options<R> extends Fluent<Pfeiffer, Options<R>, R> {
    private Options(Draft<Pfeiffer, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Pfeiffer(), target));
    }

    /** Hidden size over bottleneck size; default 16. */
    public Options<R> reduction(double factor) {
      Pfeiffer t = tuner();
      return with(new Pfeiffer(factor, t.activation, t.scaling, t.dropout));
    }

    /** {@code relu} (default), {@code gelu}, {@code gelu_new} or {@code silu}. */
    public Options<R> activation(String name) {
      Pfeiffer t = tuner();
      return with(new Pfeiffer(t.reduction, name, t.scaling, t.dropout));
    }

    /** What the branch is multiplied by; default 1. */
    public Options<R> scaling(double factor) {
      Pfeiffer t = tuner();
      return with(new Pfeiffer(t.reduction, t.activation, factor, t.dropout));
    }

    /** Dropout on the branch's input, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      Pfeiffer t = tuner();
      return with(new Pfeiffer(t.reduction, t.activation, t.scaling, p));
    }
  }
}
