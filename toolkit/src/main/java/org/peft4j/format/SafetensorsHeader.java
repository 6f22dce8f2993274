package org.peft4j.format;

import ai.djl.ndarray.types.Shape;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
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
 * What stands at the head of a safetensors file: 8 bytes of length (little-endian), then JSON that
 * maps names to type, shape and a range of the bytes that follow. The ranges must cover those bytes
 * without holes or overlaps.
 *
 * @param metadata the free texts of {@code __metadata__}
 * @param slots where each tensor lies, in the order of the header
 */
record SafetensorsHeader(Map<String, String> metadata, Map<String, Slot> slots) {
  static final String METADATA = "__metadata__";
  static final int LONGEST = 100_000_000; // the limit that the format itself sets

  private static final String FIX =
      "the file is damaged or only half there; copy or download it again";

  /**
   * One tensor.
   *
   * @param begin its first byte, counted from the start of the file
   */
  record Slot(ElementType type, Shape shape, long begin, long bytes) {}

  /** A tensor as the header declares it, before any check against others. */
  private record Declared(String name, ElementType type, List<Long> shape, long begin, long end) {}

  static SafetensorsHeader read(Path file, FileChannel channel) throws IOException {
    long size = channel.size();
    if (size < Long.BYTES) {
      throw Malformed.of(file, "too short", "8 bytes of header length", size + " bytes", FIX);
    }
    ByteBuffer head = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    readFully(file, channel, 0, head);
    long length = head.getLong(0);
    if (length < 2 || length > Math.min(LONGEST, size - Long.BYTES)) {
      throw Malformed.of(
          file,
          "header length",
          "2 to " + Math.min(LONGEST, size - Long.BYTES),
          Long.toUnsignedString(length),
          "this is no safetensors file, or it is damaged; copy or download it again");
    }
    ByteBuffer json = ByteBuffer.allocate((int) length);
    readFully(file, channel, Long.BYTES, json);
    json.flip();
    if (json.get(0) != '{') {
      throw Malformed.of(
          file,
          "header",
          "JSON that starts with '{'",
          Malformed.quote((char) (json.get(0) & 0xff)),
          FIX);
    }
    return new Parser(file, Long.BYTES + length, size).parse(Json.utf8(file, json));
  }

  static void readFully(Path file, FileChannel channel, long position, ByteBuffer into)
      throws IOException {
    long at = position;
    while (into.hasRemaining()) {
      int n = channel.read(into, at);
      if (n < 0) {
        throw new IOException(
            file + ": ends at byte " + at + ", " + into.remaining() + " bytes too early");
      }
      at += n;
    }
  }

  private static final class Parser {
    private final Path file;
    private final long dataBegin;
    private final long dataLength;
    private final List<String> problems = new ArrayList<>();

    Parser(Path file, long dataBegin, long fileLength) {
      this.file = file;
      this.dataBegin = dataBegin;
      this.dataLength = fileLength - dataBegin;
    }

    SafetensorsHeader parse(String json) {
      Map<String, String> metadata = new LinkedHashMap<>();
      Map<String, Declared> declared = new LinkedHashMap<>();
      JsonReader reader = Json.reader(json);
      boolean metadataSeen = false;
      try {
        reader.beginObject();
        while (reader.hasNext()) {
          String name = reader.nextName();
          if (name.equals(METADATA) ? metadataSeen : declared.containsKey(name)) {
            throw Json.at(reader, "the name stands there twice");
          }
          if (name.equals(METADATA)) {
            metadataSeen = true;
            readMetadata(reader, metadata);
          } else {
            declared.put(name, readTensor(reader, name));
          }
        }
        reader.endObject();
        Json.requireEnd(reader);
      } catch (IOException e) {
        throw Json.malformed(file + " (header)", e);
      }
      Map<String, Slot> slots = new LinkedHashMap<>();
      declared.forEach(
          (name, d) ->
              slots.put(
                  name,
                  new Slot(
                      d.type, ElementType.shape(d.shape), dataBegin + d.begin, d.end - d.begin)));
      requireCover(declared.values());
      if (!problems.isEmpty()) {
        throw Malformed.all(file, "malformed header", problems, FIX);
      }
      return new SafetensorsHeader(
          Collections.unmodifiableMap(metadata), Collections.unmodifiableMap(slots));
    }

    private void readMetadata(JsonReader reader, Map<String, String> metadata) throws IOException {
      if (reader.peek() == JsonToken.NULL) {
        reader.nextNull();
        return;
      }
      require(reader, JsonToken.BEGIN_OBJECT, "an object of strings");
      reader.beginObject();
      while (reader.hasNext()) {
        String key = reader.nextName();
        require(reader, JsonToken.STRING, "a string");
        if (metadata.put(key, reader.nextString()) != null) {
          throw Json.at(reader, "the key stands there twice");
        }
      }
      reader.endObject();
    }

    private Declared readTensor(JsonReader reader, String name) throws IOException {
      String dtype = null;
      List<Long> shape = null;
      List<Long> offsets = null;
      require(reader, JsonToken.BEGIN_OBJECT, "an object");
      reader.beginObject();
      while (reader.hasNext()) {
        String key = reader.nextName();
        boolean twice = false;
        switch (key) {
          case "dtype" -> {
            twice = dtype != null;
            require(reader, JsonToken.STRING, "a string");
            dtype = reader.nextString();
          }
          case "shape" -> {
            twice = shape != null;
            shape = longs(reader, ElementType.MOST_DIMENSIONS + 1);
          }
          case "data_offsets" -> {
            twice = offsets != null;
            offsets = longs(reader, 3);
          }
          default -> reader.skipValue(); // Hugging Face's reader passes over it too
        }
        if (twice) {
          throw Json.at(reader, "the key stands there twice");
        }
      }
      reader.endObject();
      return declared(name, dtype, shape, offsets);
    }

    private Declared declared(
        String name,
        @Nullable String dtype,
        @Nullable List<Long> shape,
        @Nullable List<Long> offsets) {
      String tensor = Malformed.quote(name);
      Declared nothing = new Declared(name, ElementType.U8, List.of(0L), 0, 0);
      if (dtype == null || shape == null || offsets == null) {
        problems.add(tensor + ": expected dtype, shape and data_offsets, one is missing");
        return nothing;
      }
      ElementType type = ElementType.named(dtype);
      if (type == null) {
        problems.add(tensor + ": unknown dtype " + Malformed.quote(dtype));
        return nothing;
      }
      if (offsets.size() != 2
          || offsets.get(0) < 0
          || offsets.get(0) > offsets.get(1)
          || offsets.get(1) > dataLength) {
        problems.add(
            tensor
                + ": data_offsets: expected begin and end within 0 to "
                + dataLength
                + ", found "
                + offsets);
        return nothing;
      }
      try {
        long expected = type.bytes(shape);
        long found = offsets.get(1) - offsets.get(0);
        if (expected != found) {
          problems.add(
              tensor + ": " + type + shape + " takes " + expected + " bytes, found " + found);
        }
      } catch (IllegalArgumentException e) {
        problems.add(tensor + ": shape: " + e.getMessage());
        return nothing;
      }
      return new Declared(name, type, shape, offsets.get(0), offsets.get(1));
    }

    /** Each range must begin where the one before it ends, and the last one end with the file. */
    private void requireCover(Iterable<Declared> declared) {
      if (!problems.isEmpty()) {
        return;
      }
      List<Declared> inOrder = new ArrayList<>();
      declared.forEach(inOrder::add);
      inOrder.sort(Comparator.comparingLong(Declared::begin).thenComparingLong(Declared::end));
      long end = 0;
      for (Declared d : inOrder) {
        if (d.begin != end) {
          problems.add(
              Malformed.quote(d.name)
                  + ": begins at "
                  + d.begin
                  + ", the bytes before it end at "
                  + end
                  + (d.begin < end ? ": an overlap" : ": a hole"));
        }
        end = Math.max(end, d.end);
      }
      if (end != dataLength) {
        problems.add("the tensors end at " + end + ", the file's data at " + dataLength);
      }
    }

    private static void require(JsonReader reader, JsonToken token, String what)
        throws IOException {
      if (reader.peek() != token) {
        throw Json.at(reader, "expected " + what);
      }
    }

    /** A list of integers, read no further than {@code most}: longer ones are wrong anyway. */
    private static List<Long> longs(JsonReader reader, int most) throws IOException {
      List<Long> list = new ArrayList<>();
      require(reader, JsonToken.BEGIN_ARRAY, "a list of integers");
      reader.beginArray();
      while (reader.hasNext()) {
        require(reader, JsonToken.NUMBER, "an integer");
        if (!(Json.number(reader) instanceof Long n)) {
          throw Json.at(reader, "expected an integer below 2^63");
        }
        if (list.size() < most) {
          list.add(n);
        }
      }
      reader.endArray();
      return list;
    }
  }
}
