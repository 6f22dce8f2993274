package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scalars;

/** Orthogonal matrices of skew-symmetric ones, n at a time. */
final class Cayley {
  private Cayley() {}

  /** Number of entries above the diagonal of a {@code [b, b]} matrix. */
  static long entries(long b) {
    return b * (b - 1) / 2;
  }

  /**
   * Skew-symmetric matrices {@code [n, b, b]} of their upper triangles {@code [n, b (b - 1) / 2]},
   * row by row.
   */
  static NDArray skew(NDArray upper, long b) {
    long n = upper.getShape().get(0);
    NDArray places =
        Buffers.create(
            upper.getManager(),
            upper.getShape(),
            DataType.INT64,
            out -> {
              for (long k = 0; k < n; k++) {
                for (long i = 0; i < b; i++) {
                  for (long j = i + 1; j < b; j++) {
                    out.putLong(i * b + j);
                  }
                }
              }
            });
    NDArray zeros = upper.getManager().zeros(new Shape(n, b * b), upper.getDataType());
    NDArray filled = zeros.scatter(places, upper, 1).reshape(n, b, b);
    return filled.sub(filled.transpose(0, 2, 1));
  }

  /** {@code (I - Q) (I + Q)^-1}. */
  static NDArray exact(NDArray q) {
    NDArray one = one(q);
    return one.sub(q).matMul(one.add(q).inverse());
  }

  /**
   * {@code I + 2 Q + 2 Q^2 + ... + Q^k}, k being one less than {@code terms} (at least 3, where
   * there are more than 2): an approximation of {@code (I + Q) (I - Q)^-1}, the transpose of what
   * {@link #exact} gives.
   */
  static NDArray neumann(NDArray q, int terms) {
    NDArray sum = one(q).add(q.zerosLike());
    if (terms > 1) {
      sum = sum.add(Scalars.mul(q, 2));
    }
    if (terms > 2) {
      NDArray power = q;
      int last = Math.max(3, terms - 1);
      for (int k = 2; k < last; k++) {
        power = power.matMul(q);
        sum = sum.add(Scalars.mul(power, 2));
      }
      sum = sum.add(power.matMul(q));
    }
    return sum;
  }

  private static NDArray one(NDArray q) {
    return q.getManager().eye((int) q.getShape().get(1)).toType(q.getDataType(), false);
  }
}
