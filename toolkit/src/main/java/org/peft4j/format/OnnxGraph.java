package org.peft4j.format;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.WireFormat;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Nodes and weights of an ONNX file, found by walking over its protobuf fields: weights are
 * located, not read.
 */
record OnnxGraph(List<Node> nodes, List<OnnxWeight> weights) {
  private static final String FIX = "the file is damaged or only half there; copy it again";

  /** A node; {@code rightTransposed} is Gemm's transB. */
  record Node(
      String name,
      String operator,
      List<String> inputs,
      List<String> outputs,
      boolean rightTransposed) {}

  static OnnxGraph read(Path file, FileChannel channel) throws IOException {
    long size = channel.size();
    if (size > Integer.MAX_VALUE) {
      throw Malformed.of(
          file,
          "too large",
          "ONNX of at most 2 GB, with larger weights in files beside it",
          size + " bytes",
          null);
    }
    Scanner scanner = new Scanner(file, channel);
    try {
      scanner.model((int) size);
    } catch (InvalidProtocolBufferException e) {
      throw Malformed.of(file, "malformed", "an ONNX model (protobuf)", e.getMessage() + "", FIX);
    }
    if (!scanner.problems.isEmpty()) {
      throw Malformed.all(file, "malformed weights", scanner.problems, FIX);
    }
    if (!scanner.graphSeen) {
      throw Malformed.of(file, "no ONNX model", "a graph", "none", FIX);
    }
    return new OnnxGraph(scanner.nodes, scanner.weights);
  }

  private static final class Scanner {
    final List<Node> nodes = new ArrayList<>();
    final List<OnnxWeight> weights = new ArrayList<>();
    final List<String> problems = new ArrayList<>();
    boolean graphSeen;
    private final Path file;
    private final CodedInputStream in;

    Scanner(Path file, FileChannel channel) throws IOException {
      this.file = file;
      in = CodedInputStream.newInstance(Channels.newInputStream(channel.position(0)), 1 << 16);
    }

    /** What to do at a field that stands at {@link #in}, its tag already read. */
    private interface Field {
      boolean read(int number, int wireType) throws IOException;
    }

    private void fields(int length, Field body) throws IOException {
      int before = in.pushLimit(length);
      for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
        if (!body.read(WireFormat.getTagFieldNumber(tag), WireFormat.getTagWireType(tag))
            && !in.skipField(tag)) {
          throw new InvalidProtocolBufferException("a group ends that never began");
        }
      }
      in.popLimit(before);
    }

    private static boolean is(int number, int wireType, int expected) {
      return number == expected && wireType == WireFormat.WIRETYPE_LENGTH_DELIMITED;
    }

    void model(int size) throws IOException {
      fields(
          size,
          (number, wireType) -> {
            if (is(number, wireType, ModelProto.GRAPH_FIELD_NUMBER)) {
              graphSeen = true;
              graph(in.readRawVarint32());
              return true;
            }
            return false;
          });
    }

    private void graph(int length) throws IOException {
      fields(
          length,
          (number, wireType) -> {
            if (is(number, wireType, GraphProto.NODE_FIELD_NUMBER)) {
              node(NodeProto.parseFrom(in.readByteArray()));
              return true;
            }
            if (is(number, wireType, GraphProto.INITIALIZER_FIELD_NUMBER)) {
              weight(in.readRawVarint32());
              return true;
            }
            return false;
          });
    }

    private void node(NodeProto node) {
      boolean rightTransposed = false;
      for (AttributeProto attribute : node.getAttributeList()) {
        rightTransposed |= attribute.getName().equals("transB") && attribute.getI() != 0;
      }
      nodes.add(
          new Node(
              node.getName(),
              node.getOpType(),
              List.copyOf(node.getInputList()),
              List.copyOf(node.getOutputList()),
              rightTransposed));
    }

    private void weight(int length) throws IOException {
      int begin = in.getTotalBytesRead();
      OnnxTensorFields declared = new OnnxTensorFields();
      fields(length, (number, wireType) -> declared.field(in, number, wireType));
      try {
        weights.add(declared.weight(file, begin, length));
      } catch (IllegalArgumentException e) {
        problems.add(Malformed.quote(declared.name) + ": " + e.getMessage());
      }
    }
  }
}
