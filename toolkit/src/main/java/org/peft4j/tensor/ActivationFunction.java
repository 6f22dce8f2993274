package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.nn.Activation;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/** The activation functions that configurations name. */
public enum ActivationFunction {
  /** {@code x Phi(x)}, exact. */
  GELU,
  /** Its approximation by tanh. */
  GELU_NEW,
  RELU,
  TANH,
  /** {@code x sigmoid(x)}. */
  SILU;

  /** The one that a configuration names so; {@code source} is what messages call the file. */
  public static ActivationFunction of(String name, String source) {
    return switch (name.toLowerCase(Locale.ROOT)) {
      case "gelu" -> GELU;
      case "gelu_new", "gelu_pytorch_tanh", "gelu_fast" -> GELU_NEW;
      case "relu" -> RELU;
      case "silu", "swish" -> SILU;
      case "tanh" -> TANH;
      default ->
          throw new IllegalArgumentException(
              source
                  + ": activation\nexpected: gelu, gelu_new, gelu_pytorch_tanh, relu, silu or tanh\nfound: "
                  + name);
    };
  }

  /** Applies it to every element. */
  public NDArray apply(NDArray x) {
    return switch (this) {
      case GELU -> Activation.gelu(x);
      case RELU -> Activation.relu(x);
      case TANH -> x.tanh();
      case SILU -> SILU.or("QuickGelu", Map.of("alpha", 1f), x);
      case GELU_NEW -> GELU_NEW.or("FastGelu", Map.of(), x);
    };
  }

  /** By the operator that a graph's runtime may have for it. */
  private NDArray or(String operator, Map<String, ?> attributes, NDArray x) {
    return Composite.of(
            Composite.Operator.contrib(operator, attributes),
            in -> new NDList(plain(Objects.requireNonNull(in[0]))),
            x)
        .head();
  }

  private NDArray plain(NDArray x) {
    if (this == SILU) {
      return x.mul(Activation.sigmoid(x));
    }
    NDArray inner =
        Scalars.mul(x.add(Scalars.mul(x.mul(x).mul(x), 0.044715)), Math.sqrt(2 / Math.PI));
    return Scalars.mul(x.mul(inner.tanh().add(1)), 0.5);
  }
}
