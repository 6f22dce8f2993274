package org.peft4j.nn;

import ai.djl.ndarray.NDArray;
import org.peft4j.tensor.RotaryEmbedding;
import org.peft4j.tensor.Scalars;

/**
 * Cosines and sines of the angles by which positions turn pairs of features, broadcastable to
 * {@code [batch, heads, length, head size]}.
 *
 * @see RotaryEmbedding
 */
public record Rotary(NDArray cos, NDArray sin) {
  /**
   * Angles {@code position x frequency}, cosines and sines multiplied by {@code factor}.
   *
   * @param positions int64 {@code [length]} or {@code [batch, length]}
   * @param frequencies one per pair of features
   */
  public static Rotary of(NDArray positions, double[] frequencies, double factor) {
    int half = frequencies.length;
    float[] twice = new float[2 * half];
    for (int i = 0; i < twice.length; i++) {
      twice[i] = (float) frequencies[i % half];
    }
    int axes = positions.getShape().dimension();
    NDArray at = positions.toType(ai.djl.ndarray.types.DataType.FLOAT32, false).expandDims(-1);
    NDArray each = positions.getManager().create(twice);
    NDArray angle = at.mul(axes == 1 ? each.reshape(1, 2L * half) : each.reshape(1, 1, 2L * half));
    if (axes == 2) {
      angle = angle.expandDims(1); // the same for every head
    }
    NDArray cos = angle.cos();
    NDArray sin = angle.sin();
    return factor == 1
        ? new Rotary(cos, sin)
        : new Rotary(Scalars.mul(cos, factor), Scalars.mul(sin, factor));
  }

  /** x {@code [batch, heads, length, head size]} turned. */
  public NDArray turn(NDArray x) {
    return RotaryEmbedding.turn(x, cos, sin);
  }
}
