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
import org.peft4j.spi.Hook;
import org.peft4j.spi.Init;
import org.peft4j.spi.Operation;

/**
 * P-tuning (Liu et al., arXiv 2103.10385): {@link PromptTuning} whose vectors come from a network
 * in training, {@code relu(relu(e W1^T + b1) W2^T + b2) W3^T + b3} of k trained rows e {@code [k,
 * hidden]}. A file has the vectors alone, so that training does not go on from it.
 *
 * @param tokens k, at least 1
 * @param width of the network's hidden layers; 0 for that of the model
 * @param network whether it has one; false for what a file has
 */
public record PTuning(int tokens, int width, boolean network) implements Prompt {
  private static final String E = "embedding.weight";
  private static final String LAYER = "mlp_head.";
  private static final String WIDTH = "encoder_hidden_size";
  private static final int LAYERS = 3;

  /** 20 vectors by a network as wide as the model. */
  public PTuning() {
    this(20, 0, true);
  }

  public PTuning {
    Virtual.check(tokens);
    Checks.atLeast(WIDTH, 0, width);
  }

  @Override
  public String name() {
    return "p_tuning";
  }

  @Override
  public String peftType() {
    return "P_TUNING";
  }

  @Override
  public void declare(Anatomy model, Declaration theta) {
    if (!network) {
      theta.trained(EMBEDDINGS, new Shape(tokens, model.hidden()), Init.normal(1));
      return;
    }
    theta.trained(E, new Shape(tokens, model.hidden()), Init.normal(1));
    long in = model.hidden();
    for (int i = 0; i < LAYERS; i++) {
      long out = i == LAYERS - 1 || width == 0 ? model.hidden() : width;
      theta.trained(weight(i), new Shape(out, in), Init.KAIMING);
      theta.trained(bias(i), new Shape(out), Init.uniform(1 / Math.sqrt(in)));
      in = out;
    }
  }

  private static String weight(int layer) {
    return LAYER + 2 * layer + ".weight";
  }

  private static String bias(int layer) {
    return LAYER + 2 * layer + ".bias";
  }

  @Override
  public NDArray vectors(View view) {
    if (!network) {
      return view.get(EMBEDDINGS);
    }
    NDArray x = view.get(E);
    for (int i = 0; i < LAYERS; i++) {
      x = i == 0 ? x : x.getNDArrayInternal().relu();
      x = Operation.LINEAR.apply(x, view.get(weight(i)), view.get(bias(i)));
    }
    return x;
  }

  // ---- its file: a prompt's

  @Override
  public Hook filed() {
    return new PTuning(tokens, width, false);
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put(Virtual.TOKENS, tokens);
    c.put(WIDTH, width > 0 ? width : Entries.NULL);
    c.put("encoder_reparameterization_type", "MLP");
    return c;
  }

  /** A file has the vectors, whatever network made them. */
  static PTuning fromConfig(Entries c) {
    c.accept("encoder_reparameterization_type", "encoder_num_layers", "encoder_dropout");
    return new PTuning(c.integer(Virtual.TOKENS, 20), c.integer(WIDTH, 0), true);
  }

  @Override
  public String summary() {
    return tokens
        + " virtual tokens"
        + (!network
            ? ""
            : ", made by a network" + (width > 0 ? " of width " + width : " as wide as the model"));
  }

  /** P-tuning's options, for {@code Peft.pTuning(model)}. */
  public static final class Options<R> extends Fluent<PTuning, Options<R>, R> {
    private Options(Draft<PTuning, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new PTuning(), target));
    }

    /** Number of virtual tokens; default 20. */
    public Options<R> tokens(int n) {
      return with(new PTuning(n, tuner().width, true));
    }

    /** Width of the network's hidden layers; default that of the model. */
    public Options<R> width(int width) {
      return with(new PTuning(tuner().tokens, width, true));
    }
  }
}
