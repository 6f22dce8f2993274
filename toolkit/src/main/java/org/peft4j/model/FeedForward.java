package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import java.util.List;
import org.peft4j.nn.Layer;
import org.peft4j.nn.Projection;
import org.peft4j.spi.Pass;
import org.peft4j.tensor.ActivationFunction;

/** The part of a layer that looks at one token at a time. */
abstract class FeedForward extends Layer {
  /** Makes the one of a layer, by its number. */
  interface Maker {
    FeedForward make(Config config, int layer);
  }

  /** x {@code [batch, length, hidden]}, and what comes out, without the residual. */
  abstract NDArray apply(Pass pass, NDArray x);

  /** Gate, up and down of {@code down(silu(gate(x)) * up(x))}; none where it computes otherwise. */
  List<Projection> gatedBySilu() {
    return List.of();
  }

  @Override
  protected NDList compute(Pass pass, NDList in) {
    return new NDList(apply(pass, in.singletonOrThrow()));
  }

  static ActivationFunction activation(Config config) {
    return ActivationFunction.of(config.text("hidden_act", "silu"), config.source());
  }

  /** Llama's, as wide as {@code intermediate_size} says. */
  static FeedForward gated(Config config, int layer) {
    return new Gated(config, config.size("intermediate_size"));
  }

  /** {@code down(act(gate(x)) * up(x))}. */
  static final class Gated extends FeedForward {
    private final Projection gate;
    private final Projection up;
    private final Projection down;
    private final ActivationFunction activation;

    Gated(Config config, int inner) {
      int hidden = config.size("hidden_size");
      boolean bias = config.flag("mlp_bias", false);
      activation = activation(config);
      gate = addChildBlock("gate_proj", new Projection(hidden, inner, bias, "gate"));
      up = addChildBlock("up_proj", new Projection(hidden, inner, bias, "up"));
      down = addChildBlock("down_proj", new Projection(inner, hidden, bias, "down"));
    }

    @Override
    NDArray apply(Pass pass, NDArray x) {
      return down.apply(pass, activation.apply(gate.apply(pass, x)).mul(up.apply(pass, x)));
    }

    @Override
    List<Projection> gatedBySilu() {
      return activation == ActivationFunction.SILU ? List.of(gate, up, down) : List.of();
    }
  }
}
