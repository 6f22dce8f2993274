package org.peft4j.format;

import ai.onnx.proto.OnnxMl.StringStringEntryProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The fields of one weight's protobuf message (TensorProto), gathered without its values. */
final class OnnxTensorFields {
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

  OnnxWeight weight(Path file, int begin, int length) throws IOException {
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
    return new OnnxWeight(
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

  private OnnxWeight externalWeight(Path file, String dtype, @Nullable ElementType type, long bytes)
      throws IOException {
    Path beside = Siblings.resolve(file, external.get("location"));
    if (beside == null || !Files.isRegularFile(beside)) {
      throw new IllegalArgumentException(
          "expected a file in the same folder, found " + Malformed.quote(external.get("location")));
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
    return new OnnxWeight(
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
}
