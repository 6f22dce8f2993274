package org.peft4j.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.onnx.proto.OnnxMl.TensorProto;
import com.google.protobuf.CodedInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.peft4j.tensor.Buffers;

/**
 * The weights of an ONNX file under the names that they had in PyTorch. Exporters keep most of
 * those names; a linear layer's weight becomes an anonymous {@code onnx::MatMul_787} of shape
 * {@code [in, out]}, and only its node still tells the layer: {@code
 * /encoder/layer.0/output/dense/MatMul}. Such a weight appears here as {@code
 * encoder.layer.0.output.dense.weight}, {@code [out, in]}. Anonymous tensors whose node tells
 * nothing keep the file's name; {@code position_ids} are no weights and are left out.
 */
public final class OnnxWeights implements TensorSource {
  private final Path file;
  private final FileChannel channel;
  private final Map<String, OnnxWeight> weights;

  private OnnxWeights(Path file, FileChannel channel) throws IOException {
    this.file = file;
    this.channel = channel;
    this.weights = OnnxNames.assign(OnnxGraph.read(file, channel));
  }

  /**
   * Opens a file of at most 2 GB (the limit of the format; larger weights lie in files beside it).
   *
   * @throws IllegalArgumentException that names every problem of a malformed file
   */
  public static OnnxWeights open(Path file) throws IOException {
    FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
    boolean done = false;
    try {
      OnnxWeights weights = new OnnxWeights(file, channel);
      done = true;
      return weights;
    } finally {
      if (!done) {
        channel.close();
      }
    }
  }

  @Override
  public Path origin() {
    return file;
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(weights.keySet());
  }

  @Override
  public Info info(String name) {
    OnnxWeight weight = find(name);
    List<Long> shape = weight.shape();
    if (weight.transposed()) {
      shape = List.of(shape.get(1), shape.get(0));
    }
    return new Info(weight.dtype(), ElementType.shape(shape), weight.bytes());
  }

  @Override
  public NDArray load(String name, NDManager manager) {
    OnnxWeight weight = find(name);
    ElementType type = weight.type();
    if (type == null || type.array() == null) {
      throw Malformed.of(
          file,
          Malformed.quote(name) + " cannot be loaded",
          "an element type that DJL has arrays for",
          weight.dtype(),
          null);
    }
    Shape stored = ElementType.shape(weight.shape());
    try {
      if (!weight.transposed()) {
        return read(name, weight, type, stored, manager);
      }
      try (NDManager temporary = manager.newSubManager()) {
        NDArray array = read(name, weight, type, stored, temporary);
        NDArray transposed = array.transpose();
        return Buffers.create(
            manager,
            transposed.getShape(),
            transposed.getDataType(),
            out -> out.put(Buffers.view(transposed)));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": " + Malformed.quote(name), e);
    }
  }

  private NDArray read(
      String name, OnnxWeight weight, ElementType type, Shape shape, NDManager manager)
      throws IOException {
    if (weight.external() != null) {
      try (FileChannel beside = FileChannel.open(weight.external(), StandardOpenOption.READ)) {
        return Elements.load(
            manager, type, shape, reader(weight.external(), beside, weight.begin()));
      }
    }
    if (weight.raw()) {
      return Elements.load(manager, type, shape, reader(file, channel, weight.begin()));
    }
    ByteBuffer message = ByteBuffer.allocate(weight.length());
    SafetensorsHeader.readFully(file, channel, weight.begin(), message);
    TensorProto tensor = TensorProto.parseFrom(CodedInputStream.newInstance(message.flip()));
    ByteBuffer values = OnnxWeight.values(tensor, type, (int) weight.bytes());
    if (values == null) {
      throw Malformed.of(
          file, Malformed.quote(name), weight.bytes() + " bytes of values", "others", null);
    }
    return Elements.load(
        manager,
        type,
        shape,
        (offset, into) -> {
          into.put(into.position(), values, (int) offset, into.remaining());
          into.position(into.limit());
        });
  }

  private static Elements.Source reader(Path file, FileChannel channel, long begin) {
    return (offset, into) -> SafetensorsHeader.readFully(file, channel, begin + offset, into);
  }

  private OnnxWeight find(String name) {
    OnnxWeight weight = weights.get(name);
    if (weight == null) {
      throw Names.missing(this, name);
    }
    return weight;
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new UncheckedIOException(file.toString(), e);
    }
  }

  @Override
  public String toString() {
    return file + ": " + names().size() + " tensors";
  }
}
