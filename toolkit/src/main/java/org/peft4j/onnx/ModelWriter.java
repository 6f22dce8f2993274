package org.peft4j.onnx;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.OperatorSetIdProto;
import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import ai.onnx.proto.OnnxMl.TensorShapeProto;
import ai.onnx.proto.OnnxMl.TypeProto;
import ai.onnx.proto.OnnxMl.ValueInfoProto;
import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.WireFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * Writes a graph as an ONNX file. Tensors go from their arrays to the disk piece by piece: protobuf
 * messages are built without them, and their bytes are put in where the format has them.
 */
final class ModelWriter {
  /** Smaller tensors stay in the graph's file, where a runtime reads shapes from them. */
  private static final long KEPT = 1024;

  private static final long ALIGNED = 1 << 20;
  private static final int PAGE = 4096;

  private ModelWriter() {}

  /**
   * @param embedded most bytes of tensors that go into the graph's own file
   */
  static List<Path> write(OnnxGraph graph, Path file, long embedded) throws IOException {
    Path data = file.resolveSibling(file.getFileName() + ".data");
    boolean external = graph.bytes() > Math.min(embedded, Integer.MAX_VALUE - (64L << 20));
    List<TensorProto> headers = new ArrayList<>();
    long end = 0;
    for (Initializer tensor : graph.initializers()) {
      TensorProto.Builder header = header(tensor);
      if (external && tensor.size() >= KEPT) {
        long offset = tensor.size() >= ALIGNED ? (end + PAGE - 1) / PAGE * PAGE : end;
        end = offset + tensor.size();
        refer(header, data, offset, tensor.size());
      }
      headers.add(header.build());
    }
    try (AtomicFile out = new AtomicFile(file)) {
      writeModel(graph, headers, out);
      if (end > 0) {
        writeData(graph, headers, data); // first, so that a graph that is there can be read
      }
      out.complete();
    }
    return end > 0 ? List.of(file, data) : List.of(file);
  }

  /**
   * Writes the same graph once more with references to the tensors where they stand in a file that
   * {@link #write} made alone: a runtime can map those, and must copy what is in a message.
   *
   * @param file beside {@code whole}
   */
  static void writeReferring(OnnxGraph graph, Path file, Path whole) throws IOException {
    List<TensorProto> headers = graph.initializers().stream().map(t -> header(t).build()).toList();
    GraphProto body = body(graph);
    long size = size(graph, body, headers);
    long at = model(graph).getSerializedSize();
    at += lengthDelimited(ModelProto.GRAPH_FIELD_NUMBER, size).remaining();
    at += body.getSerializedSize();
    List<TensorProto> referring = new ArrayList<>();
    for (int i = 0; i < headers.size(); i++) {
      Initializer tensor = graph.initializers().get(i);
      long message = size(headers.get(i), tensor);
      at += lengthDelimited(GraphProto.INITIALIZER_FIELD_NUMBER, message).remaining() + message;
      TensorProto.Builder header = header(tensor);
      if (tensor.size() >= KEPT) {
        refer(header, whole, at - tensor.size(), tensor.size());
      }
      referring.add(header.build());
    }
    try (AtomicFile out = new AtomicFile(file)) {
      writeModel(graph, referring, out);
      out.complete();
    }
  }

  private static void refer(TensorProto.Builder header, Path data, long offset, long length) {
    header.setDataLocation(TensorProto.DataLocation.EXTERNAL);
    header.addExternalData(entry("location", data.getFileName().toString()));
    header.addExternalData(entry("offset", Long.toString(offset)));
    header.addExternalData(entry("length", Long.toString(length)));
  }

  /**
   * Adds entries to the metadata of a file. Fields of a protobuf message may come in any order, so
   * they go to its end.
   */
  static void append(Path file, Map<String, String> entries) throws IOException {
    ModelProto.Builder more = ModelProto.newBuilder();
    entries.forEach((k, v) -> more.addMetadataProps(entry(k, v)));
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.WRITE, StandardOpenOption.APPEND)) {
      ByteBuffer bytes = ByteBuffer.wrap(more.buildPartial().toByteArray());
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
      channel.force(true);
    }
  }

  private static void writeData(OnnxGraph graph, List<TensorProto> headers, Path data)
      throws IOException {
    try (AtomicFile out = new AtomicFile(data)) {
      for (int i = 0; i < headers.size(); i++) {
        TensorProto header = headers.get(i);
        if (header.getDataLocation() == TensorProto.DataLocation.EXTERNAL) {
          long offset = Long.parseLong(header.getExternalData(1).getValue());
          out.write(ByteBuffer.allocate((int) (offset - out.position())));
          graph.initializers().get(i).payload().forEachChunk(out::write);
        }
      }
      out.complete();
    }
  }

  private static void writeModel(OnnxGraph graph, List<TensorProto> headers, AtomicFile out)
      throws IOException {
    GraphProto body = body(graph);
    out.write(ByteBuffer.wrap(model(graph).toByteArray()));
    out.write(lengthDelimited(ModelProto.GRAPH_FIELD_NUMBER, size(graph, body, headers)));
    out.write(ByteBuffer.wrap(body.toByteArray()));
    for (int i = 0; i < headers.size(); i++) {
      TensorProto header = headers.get(i);
      Initializer tensor = graph.initializers().get(i);
      out.write(lengthDelimited(GraphProto.INITIALIZER_FIELD_NUMBER, size(header, tensor)));
      out.write(ByteBuffer.wrap(header.toByteArray()));
      if (header.getDataLocation() != TensorProto.DataLocation.EXTERNAL) {
        out.write(lengthDelimited(TensorProto.RAW_DATA_FIELD_NUMBER, tensor.size()));
        tensor.payload().forEachChunk(out::write);
      }
    }
  }

  /** Bytes of the graph's message. */
  private static long size(OnnxGraph graph, GraphProto body, List<TensorProto> headers)
      throws IOException {
    long size = body.getSerializedSize();
    for (int i = 0; i < headers.size(); i++) {
      long tensor = size(headers.get(i), graph.initializers().get(i));
      size += lengthDelimited(GraphProto.INITIALIZER_FIELD_NUMBER, tensor).remaining() + tensor;
    }
    return size;
  }

  /** Bytes of a tensor's message. */
  private static long size(TensorProto header, Initializer tensor) {
    if (header.getDataLocation() == TensorProto.DataLocation.EXTERNAL) {
      return header.getSerializedSize();
    }
    return header.getSerializedSize()
        + CodedOutputStream.computeTagSize(TensorProto.RAW_DATA_FIELD_NUMBER)
        + CodedOutputStream.computeUInt64SizeNoTag(tensor.size())
        + tensor.size();
  }

  private static ByteBuffer lengthDelimited(int field, long length) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CodedOutputStream out = CodedOutputStream.newInstance(bytes);
    out.writeTag(field, WireFormat.WIRETYPE_LENGTH_DELIMITED);
    out.writeUInt64NoTag(length);
    out.flush();
    return ByteBuffer.wrap(bytes.toByteArray());
  }

  private static ModelProto model(OnnxGraph graph) {
    ModelProto.Builder model =
        ModelProto.newBuilder().setIrVersion(graph.irVersion()).setProducerName("peft4j");
    model.addOpsetImport(OperatorSetIdProto.newBuilder().setDomain("").setVersion(graph.opset()));
    TreeSet<String> domains =
        new TreeSet<>(
            graph.nodes().stream().map(OnnxNode::domain).filter(d -> !d.isEmpty()).toList());
    domains.forEach(
        d -> model.addOpsetImport(OperatorSetIdProto.newBuilder().setDomain(d).setVersion(1)));
    graph.metadata().forEach((k, v) -> model.addMetadataProps(entry(k, v)));
    return model.build();
  }

  private static GraphProto body(OnnxGraph graph) {
    GraphProto.Builder body = GraphProto.newBuilder().setName("graph");
    graph.nodes().forEach(n -> body.addNode(node(n)));
    graph.inputs().forEach(v -> body.addInput(value(v)));
    graph.outputs().forEach(v -> body.addOutput(value(v)));
    return body.build();
  }

  private static NodeProto node(OnnxNode n) {
    NodeProto.Builder node =
        NodeProto.newBuilder().setName(n.name()).setOpType(n.operator()).setDomain(n.domain());
    node.addAllInput(trimmed(n.inputs())).addAllOutput(trimmed(n.outputs()));
    n.attributes().forEach((name, value) -> node.addAttribute(attribute(name, value)));
    return node.build();
  }

  /** Without what is left out at the end. */
  private static List<String> trimmed(List<String> names) {
    int n = names.size();
    while (n > 0 && names.get(n - 1).isEmpty()) {
      n--;
    }
    return names.subList(0, n);
  }

  private static AttributeProto attribute(String name, Object value) {
    AttributeProto.Builder a = AttributeProto.newBuilder().setName(name);
    if (value instanceof Long || value instanceof Integer) {
      a.setType(AttributeProto.AttributeType.INT).setI(((Number) value).longValue());
    } else if (value instanceof Float || value instanceof Double) {
      a.setType(AttributeProto.AttributeType.FLOAT).setF(((Number) value).floatValue());
    } else if (value instanceof String text) {
      a.setType(AttributeProto.AttributeType.STRING).setS(ByteString.copyFromUtf8(text));
    } else if (value instanceof long[] longs) {
      a.setType(AttributeProto.AttributeType.INTS);
      for (long l : longs) {
        a.addInts(l);
      }
    } else if (value instanceof float[] floats) {
      a.setType(AttributeProto.AttributeType.FLOATS);
      for (float f : floats) {
        a.addFloats(f);
      }
    } else if (value instanceof List<?> texts) {
      a.setType(AttributeProto.AttributeType.STRINGS);
      texts.forEach(t -> a.addStrings(ByteString.copyFromUtf8(String.valueOf(t))));
    } else {
      throw new IllegalArgumentException(
          "attribute "
              + name
              + "\nexpected: a whole number, a float, a text, or an array of them\nfound: "
              + value.getClass().getName());
    }
    return a.build();
  }

  private static ValueInfoProto value(GraphValue v) {
    TensorShapeProto.Builder shape = TensorShapeProto.newBuilder();
    for (String dim : v.dims()) {
      TensorShapeProto.Dimension.Builder d = TensorShapeProto.Dimension.newBuilder();
      if (dim.matches("\\d+")) {
        d.setDimValue(Long.parseLong(dim));
      } else if (!dim.isEmpty()) {
        d.setDimParam(dim);
      }
      shape.addDim(d);
    }
    TypeProto.Tensor.Builder tensor =
        TypeProto.Tensor.newBuilder().setElemType(Types.code(v.type())).setShape(shape);
    return ValueInfoProto.newBuilder()
        .setName(v.name())
        .setType(TypeProto.newBuilder().setTensorType(tensor))
        .build();
  }

  private static TensorProto.Builder header(Initializer tensor) {
    TensorProto.Builder header =
        TensorProto.newBuilder().setName(tensor.name()).setDataType(Types.code(tensor.type()));
    for (long d : tensor.shape().getShape()) {
      header.addDims(d);
    }
    return header;
  }

  private static StringStringEntryProto entry(String key, String value) {
    return StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
  }
}
