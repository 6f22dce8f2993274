package org.peft4j.format;

import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What stands at the head of a GGUF file (versions 2 and 3, little-endian): magic, version, two
 * counts, typed key-value pairs, then for each tensor its name, its dimensions (innermost first),
 * its type and its place in the data, which begins at the next multiple of the alignment.
 *
 * @param slots where each tensor lies, in the order of the head
 */
record GgufHeader(Map<String, GgufValue> values, Map<String, Slot> slots) {
  static final int MAGIC = 0x46554747; // "GGUF"
  static final String ALIGNMENT = "general.alignment";
  static final int USUAL_ALIGNMENT = 32;

  static final int MOST_DIMENSIONS = 4; // ggml's own limit
  private static final int LEAST_PAIR = 8 + 4 + 1;
  private static final int LEAST_TENSOR = 8 + 4 + 4 + 8;
  private static final int DEEPEST = 4;

  /**
   * One tensor.
   *
   * @param begin its first byte, counted from the start of the file
   */
  record Slot(GgmlType type, Shape shape, long begin, long bytes) {}

  /** A tensor as the head declares it: its place is counted from the start of the data. */
  private record Declared(String name, GgmlType type, List<Long> shape, long begin, long bytes) {}

  static GgufHeader read(Path file, FileChannel channel) throws IOException {
    return new Parser(file, new GgufCursor(file, channel)).parse();
  }

  private static final class Parser {
    private final Path file;
    private final GgufCursor in;
    private final List<String> problems = new ArrayList<>();

    Parser(Path file, GgufCursor in) {
      this.file = file;
      this.in = in;
    }

    GgufHeader parse() throws IOException {
      int magic = in.int32("magic");
      if (magic != MAGIC) {
        throw Malformed.of(
            file,
            "not a GGUF file",
            "the letters GGUF at its start",
            String.format("bytes %08x", Integer.reverseBytes(magic)),
            null);
      }
      version();
      int tensors = in.count("number of tensors", LEAST_TENSOR);
      int pairs = in.count("number of keys", LEAST_PAIR);
      Map<String, GgufValue> values = new LinkedHashMap<>();
      for (int i = 0; i < pairs; i++) {
        String key = in.text("key " + i);
        String what = "key " + Malformed.quote(key);
        if (values.put(key, value(what, type(what), 0)) != null) {
          throw in.bad(what, "each key once", "it stands there twice");
        }
      }
      Map<String, Declared> declared = new LinkedHashMap<>();
      for (int i = 0; i < tensors; i++) {
        Declared d = tensor("tensor " + i);
        if (d != null && declared.put(d.name, d) != null) {
          problems.add(Malformed.quote(d.name) + ": the name stands there twice");
        }
      }
      long alignment = alignment(values.get(ALIGNMENT));
      long begin = (in.position() + alignment - 1) / alignment * alignment;
      long length = in.position() + in.remaining() - begin;
      requirePlaces(declared.values(), alignment, Math.max(length, 0));
      if (!problems.isEmpty()) {
        throw Malformed.all(file, "malformed tensors", problems, GgufCursor.FIX);
      }
      Map<String, Slot> slots = new LinkedHashMap<>();
      declared.forEach(
          (name, d) ->
              slots.put(
                  name, new Slot(d.type, ElementType.shape(d.shape), begin + d.begin, d.bytes)));
      return new GgufHeader(
          Collections.unmodifiableMap(values), Collections.unmodifiableMap(slots));
    }

    private void version() throws IOException {
      int version = in.int32("version");
      if (version != 2 && version != 3) {
        boolean big = Integer.reverseBytes(version) >= 1 && Integer.reverseBytes(version) <= 3;
        throw Malformed.of(
            file,
            "version",
            "2 or 3, little-endian",
            big ? "a big-endian file" : Integer.toUnsignedString(version),
            "convert the model again with a recent llama.cpp");
      }
    }

    private GgufValue.Type type(String what) throws IOException {
      int id = in.int32(what + ": type");
      GgufValue.Type[] types = GgufValue.Type.values();
      if (id < 0 || id >= types.length) {
        throw in.bad(what + ": type", "0 to " + (types.length - 1), Integer.toUnsignedString(id));
      }
      return types[id];
    }

    private GgufValue value(String what, GgufValue.Type type, int depth) throws IOException {
      if (type == GgufValue.Type.ARRAY) {
        GgufValue.Type element = type(what + ": elements");
        int n = in.count(what + ": number of elements", element.least());
        return new GgufValue(type, element, array(what, element, n, depth));
      }
      return new GgufValue(type, null, scalar(what, type));
    }

    private Object scalar(String what, GgufValue.Type type) throws IOException {
      return switch (type) {
        case UINT8 -> (long) in.uint8(what);
        case INT8 -> (long) (byte) in.uint8(what);
        case UINT16 -> (long) in.int16(what) & 0xffff;
        case INT16 -> (long) in.int16(what);
        case UINT32 -> (long) in.int32(what) & 0xffffffffL;
        case INT32 -> (long) in.int32(what);
        case UINT64, INT64 -> in.int64(what);
        case FLOAT32 -> Float.intBitsToFloat(in.int32(what));
        case FLOAT64 -> Double.longBitsToDouble(in.int64(what));
        case BOOL -> flag(what, in.uint8(what));
        case STRING -> in.text(what);
        case ARRAY -> throw new IllegalStateException("not a scalar");
      };
    }

    private boolean flag(String what, int b) {
      if (b > 1) {
        throw in.bad(what, "0 or 1 for false or true", b);
      }
      return b == 1;
    }

    private Object array(String what, GgufValue.Type element, int n, int depth) throws IOException {
      if (element == GgufValue.Type.STRING || element == GgufValue.Type.ARRAY) {
        if (depth >= DEEPEST) {
          throw in.bad(what, "arrays nested at most " + DEEPEST + " deep", "more");
        }
        List<Object> list = new ArrayList<>(Math.min(n, 1 << 16));
        for (int i = 0; i < n; i++) {
          list.add(
              element == GgufValue.Type.STRING
                  ? in.text(what + ": element " + i)
                  : value(what, GgufValue.Type.ARRAY, depth + 1));
        }
        return Collections.unmodifiableList(list);
      }
      byte[] raw = in.bytes(n * element.least(), what);
      ByteBuffer bytes = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN);
      switch (element) {
        case UINT16, INT16 -> {
          short[] out = new short[n];
          bytes.asShortBuffer().get(out);
          return out;
        }
        case UINT32, INT32 -> {
          int[] out = new int[n];
          bytes.asIntBuffer().get(out);
          return out;
        }
        case UINT64, INT64 -> {
          long[] out = new long[n];
          bytes.asLongBuffer().get(out);
          return out;
        }
        case FLOAT32 -> {
          float[] out = new float[n];
          bytes.asFloatBuffer().get(out);
          return out;
        }
        case FLOAT64 -> {
          double[] out = new double[n];
          bytes.asDoubleBuffer().get(out);
          return out;
        }
        case BOOL -> {
          boolean[] out = new boolean[n];
          for (int i = 0; i < n; i++) {
            out[i] = flag(what, raw[i] & 0xff);
          }
          return out;
        }
        default -> {
          return raw;
        }
      }
    }

    private @Nullable Declared tensor(String what) throws IOException {
      String name = in.text(what + ": name");
      String tensor = Malformed.quote(name);
      int dimensions = in.int32(what + ": number of dimensions");
      if (dimensions < 0 || dimensions > MOST_DIMENSIONS) {
        throw in.bad(
            what + " " + tensor + ": number of dimensions",
            "0 to " + MOST_DIMENSIONS,
            Integer.toUnsignedString(dimensions));
      }
      List<Long> shape = new ArrayList<>();
      for (int i = 0; i < dimensions; i++) {
        shape.add(0, in.int64(what + ": dimension " + i));
      }
      int id = in.int32(what + ": type");
      long begin = in.int64(what + ": offset");
      GgmlType type = GgmlType.of(id);
      if (type == null) {
        problems.add(tensor + ": unknown tensor type " + Integer.toUnsignedString(id));
        return null;
      }
      try {
        return new Declared(name, type, shape, begin, type.bytes(shape));
      } catch (IllegalArgumentException e) {
        problems.add(tensor + ": dimensions: " + e.getMessage());
        return null;
      }
    }

    private long alignment(@Nullable GgufValue value) {
      if (value == null) {
        return USUAL_ALIGNMENT;
      }
      boolean whole = value.type() == GgufValue.Type.UINT32 && value.content() instanceof Long;
      long alignment = whole ? (Long) value.content() : 0;
      if (Long.bitCount(alignment) != 1) {
        throw in.bad(ALIGNMENT, "a power of two of type UINT32", value);
      }
      return alignment;
    }

    /** Tensors lie within the data, at multiples of the alignment, and share no byte. */
    private void requirePlaces(Iterable<Declared> declared, long alignment, long length) {
      List<Declared> inOrder = new ArrayList<>();
      for (Declared d : declared) {
        if (d.begin < 0 || d.begin > length || d.bytes > length - d.begin) {
          problems.add(
              Malformed.quote(d.name)
                  + ": expected "
                  + d.bytes
                  + " bytes from "
                  + Long.toUnsignedString(d.begin)
                  + " on within the data, which has "
                  + length);
        } else if (d.begin % alignment != 0) {
          problems.add(
              Malformed.quote(d.name)
                  + ": begins at "
                  + d.begin
                  + ", not at a multiple of the alignment "
                  + alignment);
        } else {
          inOrder.add(d);
        }
      }
      inOrder.sort(Comparator.comparingLong(Declared::begin).thenComparingLong(Declared::bytes));
      long end = 0;
      for (Declared d : inOrder) {
        if (d.begin < end) {
          problems.add(
              Malformed.quote(d.name)
                  + ": begins at "
                  + d.begin
                  + " inside of the tensor before it");
        }
        end = Math.max(end, d.begin + d.bytes);
      }
    }
  }
}
