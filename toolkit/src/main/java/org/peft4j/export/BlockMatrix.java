package org.peft4j.export;

import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.Payload;

/**
 * A matrix {@code [N, K]} quantised along K while it is written; neither the codes nor the scales
 * are kept beyond the next matrix.
 *
 * @param rows float32
 * @param grids what was found of the matrix that was written last
 */
record BlockMatrix(Initializer rows, BlockCode code, Grids grids) {
  BlockMatrix(Initializer rows, BlockCode code) {
    this(rows, code, new Grids());
  }

  private long n() {
    return rows.shape().get(0);
  }

  private long k() {
    return rows.shape().get(1);
  }

  /** uint8 {@code [N, blocks, bytes of a block]}. */
  Initializer codes(String name) {
    int width = code.blocks(k()) * code.blockBytes();
    return stored(
        name,
        DataType.UINT8,
        new Shape(n(), code.blocks(k()), code.blockBytes()),
        width,
        (row, values, out) -> {
          row.encode(values);
          out.put(row.codes);
        });
  }

  /** uint8 {@code [N, K * bits / 8]}, without what fills a last block. */
  Initializer table(String name) {
    int width = Math.toIntExact(k() * code.bits() / 8);
    return stored(
        name,
        DataType.UINT8,
        new Shape(n(), width),
        width,
        (row, values, out) -> {
          row.encode(values);
          out.put(row.codes, 0, width);
        });
  }

  /** float32 {@code [N, blocks]}. */
  Initializer scales(String name) {
    return stored(
        name,
        DataType.FLOAT32,
        new Shape(n(), code.blocks(k())),
        4 * code.blocks(k()),
        (row, values, out) -> {
          for (float scale : row.scales) {
            out.putFloat(scale);
          }
        });
  }

  /** uint8 {@code [N, bytes]}, two blocks in a byte at 4 bits. */
  Initializer zeros(String name) {
    byte[] packed = new byte[code.zeroPointBytes(k())];
    return stored(
        name,
        DataType.UINT8,
        new Shape(n(), packed.length),
        packed.length,
        (row, values, out) -> {
          row.packZeros(packed);
          out.put(packed);
        });
  }

  /** What the weights lose, and the bytes of what is stored for them. */
  QuantisationLoss.Tensor loss() {
    long stored =
        n() * code.blocks(k()) * (code.blockBytes() + 4L)
            + (code.zeroPoints() ? n() * code.zeroPointBytes(k()) : 0);
    QuantisationLoss.Sums sums = new QuantisationLoss.Sums();
    BlockCode.Row row = code.new Row(Math.toIntExact(k()));
    read(
        (index, values) -> {
          row.measure(values);
          row.encode(values);
          for (int i = 0; i < values.length; i++) {
            sums.add(values[i], row.decoded(i));
          }
        });
    return sums.tensor(rows, code.toString(), stored);
  }

  /** Writes a row's part. */
  private interface Part {
    void put(BlockCode.Row row, float[] values, ByteBuffer out);
  }

  private Initializer stored(String name, DataType type, Shape shape, int rowBytes, Part part) {
    return Initializer.of(
        name,
        type,
        shape,
        new Payload() {
          @Override
          public long size() {
            return n() * rowBytes;
          }

          @Override
          public <E extends Exception> void forEachChunk(Sink<E> sink) throws E {
            BlockCode.Row row = code.new Row(Math.toIntExact(k()));
            long together = Math.max(1, Math.min(n(), (1L << 20) / Math.max(1, rowBytes)));
            ByteBuffer out =
                ByteBuffer.allocate(Math.toIntExact(together * rowBytes))
                    .order(ByteOrder.LITTLE_ENDIAN);
            BlockMatrix.this.<E>read(
                (index, values) -> {
                  grids.find(BlockMatrix.this, index, values, row);
                  part.put(row, values, out);
                  if (!out.hasRemaining()) {
                    sink.take(out.flip());
                    out.clear();
                  }
                });
            if (out.position() > 0) {
              sink.take(out.flip());
            }
          }
        });
  }

  private <E extends Exception> void read(Rows.Visitor<E> visitor) throws E {
    try {
      Rows.forEach(rows, visitor);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("weight " + rows.name() + "\n" + e.getMessage(), e);
    }
  }
}
