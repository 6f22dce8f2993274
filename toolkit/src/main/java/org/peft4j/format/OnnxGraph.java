package org.peft4j.format;

import ai.onnx.proto.OnnxMl.AttributeProto;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.NodeProto;
import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.WireFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Nodes and weights of an ONNX file, found by walking over its protobuf fields: weights are
 * located, not read.
 */
record OnnxGraph(List<Node> nodes, List<Weight> weights) {
  private static final String FIX = "the file is damaged or only half there; copy it again";

  /** A node; {@code rightTransposed} is Gemm's transB. */
  record Node(
      String name,
      String operator,
      List<String> inputs,
      List<String> outputs,
      boolean rightTransposed) {}

  /**
   * A weight's place.
   *
   * @param type null for element types that nothing here knows
   * @param shape as in the file
   * @param begin where its bytes begin, or, unless {@code raw}, its message
   * @param length of the message, unless {@code raw}
   * @param external the file that holds the bytes; null for this one
   * @param transposed whether it is to be shown transposed
   */
  record Weight(
      String name,
      String dtype,
      @Nullable ElementType type,
      List<Long> shape,
      long bytes,
      boolean raw,
      long begin,
      int length,
      @Nullable Path external,
      boolean transposed) {
    Weight asTransposed() {
      return new Weight(name, dtype, type, shape, bytes, raw, begin, length, external, !transposed);
    }
  }

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
    final List<Weight> weights = new ArrayList<>();
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
      Declared declared = new Declared();
      fields(length, (number, wireType) -> declared.field(in, number, wireType));
      try {
        weights.add(declared.weight(file, begin, length));
      } catch (IllegalArgumentException e) {
        problems.add(Malformed.quote(declared.name) + ": " + e.getMessage());
      }
    }
  }

  /** The fields of one weight's message. */
  private static final class Declared {
    String name = "";
    private int dataType;
    private int rawBegin = -1;
    private int rawLength;
    private boolean isExternal;
    private final List<Long> shape = new ArrayList<>();
    private final Map<String, String> external = new HashMap<>();

    boolean field(CodedInputStream in, int number, int wireType) throws IOException {
      boolean bytes = wireType == WireFormat.WIRETYPE_LENGTH_DELIMITED;
      boolean integer = wireType == WireFormat.WIRETYPE_VARINT;
      if (number == TensorProto.DIMS_FIELD_NUMBER && integer) {
        dimension(in.readInt64());
      } else if (number == TensorProto.DIMS_FIELD_NUMBER && bytes) {
        int before = in.pushLimit(in.readRawVarint32());
        while (in.getBytesUntilLimit() > 0) {
          dimension(in.readInt64());
        }
        in.popLimit(before);
      } else if (number == TensorProto.DATA_TYPE_FIELD_NUMBER && integer) {
        dataType = in.readInt32();
      } else if (number == TensorProto.NAME_FIELD_NUMBER && bytes) {
        name = in.readString();
      } else if (number == TensorProto.RAW_DATA_FIELD_NUMBER && bytes) {
        rawLength = in.readRawVarint32();
        rawBegin = in.getTotalBytesRead();
        in.skipRawBytes(rawLength);
      } else if (number == TensorProto.EXTERNAL_DATA_FIELD_NUMBER && bytes) {
        var entry = StringStringEntryProto.parseFrom(in.readByteArray());
        external.put(entry.getKey(), entry.getValue());
      } else if (number == TensorProto.DATA_LOCATION_FIELD_NUMBER && integer) {
        isExternal = in.readInt32() == TensorProto.DataLocation.EXTERNAL_VALUE;
      } else {
        return false;
      }
      return true;
    }

    private void dimension(long n) {
      if (shape.size() <= ElementType.MOST_DIMENSIONS) {
        shape.add(n);
      }
    }

    Weight weight(Path file, int begin, int length) throws IOException {
      TensorProto.DataType onnxType = TensorProto.DataType.forNumber(dataType);
      ElementType type = onnxType == null ? null : elementType(onnxType);
      String dtype = onnxType == null ? "type " + dataType : onnxType.name();
      long bytes = type == null ? rawLength : type.bytes(shape);
      if (isExternal) {
        return externalWeight(file, dtype, type, bytes);
      }
      boolean raw = rawBegin >= 0;
      if (raw && bytes != rawLength) {
        throw new IllegalArgumentException(
            dtype + shape + " takes " + bytes + " bytes, found " + rawLength);
      }
      boolean tooLong = type != null && bytes / type.width() > length; // a byte each at least
      if (!raw && (tooLong || bytes > Integer.MAX_VALUE - Long.BYTES)) {
        throw new IllegalArgumentException(
            dtype + shape + " takes " + bytes + " bytes, found a message of " + length);
      }
      return new Weight(
          name,
          dtype,
          type,
          List.copyOf(shape),
          bytes,
          raw,
          raw ? rawBegin : begin,
          length,
          null,
          false);
    }

    private Weight externalWeight(Path file, String dtype, @Nullable ElementType type, long bytes)
        throws IOException {
      Path beside = Siblings.resolve(file, external.get("location"));
      if (beside == null || !Files.isRegularFile(beside)) {
        throw new IllegalArgumentException(
            "expected a file in the same folder, found "
                + Malformed.quote(external.get("location")));
      }
      long offset = number(external.get("offset"), 0);
      long length = number(external.get("length"), bytes);
      long size = Files.size(beside);
      if (length != bytes || offset > size || bytes > size - offset) {
        throw new IllegalArgumentException(
            dtype
                + shape
                + " takes "
                + bytes
                + " bytes, found "
                + length
                + " at "
                + offset
                + " of "
                + beside
                + " ("
                + size
                + " bytes)");
      }
      return new Weight(
          name, dtype, type, List.copyOf(shape), bytes, true, offset, 0, beside, false);
    }

    private static long number(@Nullable String text, long otherwise) {
      if (text == null) {
        return otherwise;
      }
      if (!text.matches("\\d{1,18}")) {
        throw new IllegalArgumentException(
            "expected an offset or a length, found " + Malformed.quote(text));
      }
      return Long.parseLong(text);
    }
  }

  private static @Nullable ElementType elementType(TensorProto.DataType type) {
    return switch (type) {
      case FLOAT -> ElementType.F32;
      case DOUBLE -> ElementType.F64;
      case FLOAT16 -> ElementType.F16;
      case BFLOAT16 -> ElementType.BF16;
      case FLOAT8E4M3FN -> ElementType.F8_E4M3;
      case FLOAT8E5M2 -> ElementType.F8_E5M2;
      case FLOAT8E4M3FNUZ -> ElementType.F8_E4M3FNUZ;
      case FLOAT8E5M2FNUZ -> ElementType.F8_E5M2FNUZ;
      case INT64 -> ElementType.I64;
      case INT32 -> ElementType.I32;
      case INT16 -> ElementType.I16;
      case INT8 -> ElementType.I8;
      case UINT64 -> ElementType.U64;
      case UINT32 -> ElementType.U32;
      case UINT16 -> ElementType.U16;
      case UINT8 -> ElementType.U8;
      case BOOL -> ElementType.BOOL;
      default -> null;
    };
  }

  /** The values of a message that lists them by number; null when they are not {@code bytes}. */
  static @Nullable ByteBuffer values(TensorProto tensor, ElementType type, int bytes) {
    int count =
        switch (type) {
          case F32 -> tensor.getFloatDataCount();
          case F64 -> tensor.getDoubleDataCount();
          case I64 -> tensor.getInt64DataCount();
          default -> tensor.getInt32DataCount();
        };
    if (count != bytes / type.width()) {
      return null;
    }
    ByteBuffer out = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      switch (type) {
        case F32 -> out.putFloat(tensor.getFloatData(i));
        case F64 -> out.putDouble(tensor.getDoubleData(i));
        case I64 -> out.putLong(tensor.getInt64Data(i));
        case I32 -> out.putInt(tensor.getInt32Data(i));
        case F16, BF16, I16 -> out.putShort((short) tensor.getInt32Data(i));
        default -> out.put((byte) tensor.getInt32Data(i));
      }
    }
    return out.flip();
  }
}
