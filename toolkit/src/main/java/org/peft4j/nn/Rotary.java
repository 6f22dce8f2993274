package org.peft4j.nn;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import org.peft4j.tensor.RotaryEmbedding;
import org.peft4j.tensor.Scalars;

/**
 * Cosines and sines of the angles by which positions turn pairs of features, {@code [batch or 1,
 * length, 1, turned features]}.
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
    NDArray rows = positions.getShape().dimension() == 1 ? positions.expandDims(0) : positions;
    Shape shape = rows.getShape();
    NDArray at = rows.toType(DataType.FLOAT32, false).reshape(shape.get(0), shape.get(1), 1, 1);
    NDArray each = positions.getManager().create(twice).reshape(1, 1, 1, 2L * half);
    NDArray angle = at.mul(each); // the same for every head
    NDArray cos = angle.cos();
    NDArray sin = angle.sin();
    return factor == 1
        ? new Rotary(cos, sin)
        : new Rotary(Scalars.mul(cos, factor), Scalars.mul(sin, factor));
  }

  /**
   * x {@code [batch, length, heads head size]} turned. Of heads that are wider than the angles, the
   * first features turn and the others stay.
   */
  public NDArray turn(NDArray x, int heads) {
    Shape s = x.getShape();
    long size = s.get(2) / heads;
    long turned = cos.getShape().get(3);
    if (turned == size) {
      return RotaryEmbedding.turn(x, heads, cos, sin);
    }
    NDArray each = x.reshape(s.get(0), s.get(1), heads, size);
    NDArray first = each.get(new NDIndex("..., :" + turned));
    NDArray rest = each.get(new NDIndex("..., " + turned + ":"));
    Shape narrow = new Shape(s.get(0), s.get(1), heads * turned);
    return RotaryEmbedding.turn(first.reshape(narrow), heads, cos, sin)
        .reshape(first.getShape())
        .concat(rest, 3)
        .reshape(s);
  }
}
