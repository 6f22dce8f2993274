package org.peft4j.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Slotted;

/**
 * {@code (x - mean) / sqrt(variance + epsilon) * weight + bias} of every channel of x {@code
 * [batch, channels, height, width]}. Mean and variance are those that the model was trained with,
 * in training too: what is frozen does not change.
 */
public final class BatchNorm extends Layer {
  private final double epsilon;
  private final Parameter mean;
  private final Parameter variance;
  private final Gain gain;

  public BatchNorm(long channels, double epsilon) {
    this.epsilon = epsilon;
    gain = addChildBlock("", new Gain(channels));
    mean = parameter("running_mean", Parameter.Type.RUNNING_MEAN, channels);
    variance = parameter("running_var", Parameter.Type.RUNNING_VAR, channels);
  }

  public NDArray apply(Pass pass, NDArray x) {
    NDArray deviation = pass.value(variance).add(epsilon).sqrt();
    NDArray centred = x.sub(Gain.channels(pass.value(mean)));
    return pass.apply(gain.frozen, centred.div(Gain.channels(deviation)));
  }

  @Override
  protected NDList compute(Pass pass, NDList inputs) {
    return new NDList(apply(pass, inputs.singletonOrThrow()));
  }

  /** The part that methods adapt. */
  private static final class Gain extends Layer implements Slotted {
    private static final Operation OPERATION =
        new Operation() {
          @Override
          public NDArray apply(NDArray x, NDArray weight, @Nullable NDArray bias) {
            NDArray y = x.mul(channels(weight));
            return bias == null ? y : y.add(channels(bias));
          }

          @Override
          public NDArray mix(NDArray h, NDArray m) {
            throw new UnsupportedOperationException("a normalisation has no low-rank factor");
          }
        };

    private final Frozen frozen;

    Gain(long channels) {
      frozen =
          new Dense(
              parameter("weight", Parameter.Type.GAMMA, channels),
              parameter("bias", Parameter.Type.BETA, channels),
              OPERATION);
    }

    static NDArray channels(NDArray vector) {
      return vector.reshape(new Shape(1, vector.getShape().get(0), 1, 1));
    }

    @Override
    protected NDList compute(Pass pass, NDList inputs) {
      return new NDList(pass.apply(frozen, inputs.singletonOrThrow()));
    }

    @Override
    public Kind kind() {
      return Kind.NORM;
    }

    @Override
    public @Nullable String role() {
      return null;
    }

    @Override
    public Frozen frozen() {
      return frozen;
    }
  }
}
