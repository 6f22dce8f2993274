package org.peft4j.export;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.OnnxGraph;

/** Reads quantised matrices as ONNX Runtime's schema of MatMulNBits describes them. */
final class Blocks {
  private Blocks() {}

  static byte[] bytes(Initializer tensor) {
    ByteBuffer all = ByteBuffer.allocate((int) tensor.size());
    tensor.payload().forEachChunk(all::put);
    if (all.hasRemaining()) {
      throw new IllegalStateException(tensor + " gave too little");
    }
    return all.array();
  }

  static float[] floats(byte[] bytes) {
    float[] out = new float[bytes.length / 4];
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(out);
    return out;
  }

  static Initializer stored(OnnxGraph graph, String name) {
    return graph.initializers().stream()
        .filter(i -> i.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  /** The n-th number of so many bits in packed bytes, low bits first. */
  private static int number(byte[] packed, int from, int n, int bits) {
    int bit = n * bits;
    return ((packed[from + bit / 8] & 0xff) >> (bit % 8)) & ((1 << bits) - 1);
  }

  /**
   * The values {@code [n][k]}.
   *
   * @param zeros packed, or null for the middle
   */
  static float[][] decode(
      byte[] codes, float[] scales, byte[] zeros, int n, int k, int bits, int block) {
    int blocks = (k + block - 1) / block;
    int zeroBytes = (blocks * bits + 7) / 8;
    float[][] out = new float[n][k];
    for (int row = 0; row < n; row++) {
      for (int i = 0; i < k; i++) {
        int b = i / block;
        int code = number(codes, row * blocks * block * bits / 8, i, bits);
        int zero = zeros == null ? 1 << (bits - 1) : number(zeros, row * zeroBytes, b, bits);
        out[row][i] = (code - zero) * scales[row * blocks + b];
      }
    }
    return out;
  }
}
