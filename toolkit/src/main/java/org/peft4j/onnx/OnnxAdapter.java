package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.peft4j.tensor.Buffers;

/**
 * What an {@code .onnx_adapter} file holds: tensors that ONNX Runtime puts in the place of a
 * graph's optional inputs of the same names. The file is a flatbuffer with the identifier {@code
 * TORT} (ONNX Runtime, {@code lora/adapter_format/adapter_schema.fbs}, format version 1).
 *
 * @param adapterVersion of the adapter, as its maker counts
 * @param modelVersion what it was made for, see {@link AdapterSlots#base}; 0 and 1 say nothing
 */
public record OnnxAdapter(Path file, int adapterVersion, int modelVersion, List<Tensor> tensors) {
  /**
   * A tensor of the file.
   *
   * @param position where its elements begin in the file
   */
  public record Tensor(String name, DataType type, Shape shape, long position) {
    /** Number of bytes. */
    public long size() {
      return shape.size() * type.getNumOfBytes();
    }
  }

  public OnnxAdapter {
    tensors = List.copyOf(tensors);
  }

  /**
   * Reads names, types and shapes; the elements stay in the file.
   *
   * @throws IllegalArgumentException when it is damaged or no such file
   */
  public static OnnxAdapter read(Path file) {
    return AdapterReader.read(file);
  }

  /**
   * Writes a file of less than 2 GiB, whole or not at all; equal tensors give equal bytes.
   *
   * @param modelVersion see {@link AdapterSlots#base}
   * @param tensors at least one, with different names
   */
  public static void write(Path file, int modelVersion, List<Initializer> tensors)
      throws IOException {
    AdapterWriter.write(file, 1, modelVersion, tensors);
  }

  /** The tensor of that name as a new array of {@code owner}. */
  public NDArray load(NDManager owner, String name) {
    Tensor tensor =
        tensors.stream()
            .filter(t -> t.name().equals(name))
            .findFirst()
            .orElseThrow(
                () ->
                    new IllegalArgumentException(
                        file
                            + ": no tensor \""
                            + name
                            + "\"\nthere are: "
                            + tensors.stream().map(Tensor::name).toList()));
    return Buffers.create(owner, tensor.shape(), tensor.type(), out -> fill(out, tensor));
  }

  /** A file with these of its tensors alone, in memory. */
  byte[] only(List<Tensor> some) {
    List<Initializer> kept = new ArrayList<>();
    for (Tensor t : some) {
      byte[] bytes = new byte[Math.toIntExact(t.size())];
      fill(ByteBuffer.wrap(bytes), t);
      kept.add(Initializer.of(t.name(), t.type(), t.shape(), bytes));
    }
    return AdapterWriter.bytes(adapterVersion, modelVersion, kept);
  }

  private void fill(ByteBuffer out, Tensor tensor) {
    try (FileChannel channel = FileChannel.open(file)) {
      long at = tensor.position();
      while (out.hasRemaining()) {
        int n = channel.read(out, at);
        if (n < 0) {
          throw new IllegalArgumentException(file + ": it became shorter while it was read");
        }
        at += n;
      }
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  /** One line: file, tensors, size. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%s: %,d tensors, %.1f MB",
        file.getFileName(),
        tensors.size(),
        tensors.stream().mapToLong(Tensor::size).sum() / 1e6);
  }
}
