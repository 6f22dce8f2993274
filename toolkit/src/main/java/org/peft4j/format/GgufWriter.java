package org.peft4j.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.reflect.Array;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import org.peft4j.format.Gguf.Entry;
import org.peft4j.tensor.Scope;

/** Lays a GGUF file out as the Python package gguf does and streams its tensors to disk. */
final class GgufWriter {
  private static final int VERSION = 3;
  private static final int PIECE = 1 << 16; // numbers packed at a time, a multiple of any block
  private static final int PIECES = 16; // pieces packed at once before they are written

  private final Path file;
  private final ByteArrayOutputStream head = new ByteArrayOutputStream();

  private GgufWriter(Path file) {
    this.file = file;
  }

  static void write(Path file, Map<String, GgufValue> metadata, Collection<Entry> entries)
      throws IOException {
    check(file, metadata, entries);
    GgufWriter w = new GgufWriter(file);
    w.head(metadata, entries);
    AtomicFiles.channel(
        file,
        channel -> {
          writeFully(channel, ByteBuffer.wrap(w.head.toByteArray()));
          pad(channel);
          for (Entry entry : entries) {
            w.tensor(entry, channel);
            pad(channel);
          }
        });
  }

  private static void check(Path file, Map<String, GgufValue> metadata, Collection<Entry> entries) {
    List<String> problems = new ArrayList<>();
    if (metadata.containsKey(GgufHeader.ALIGNMENT)) {
      problems.add(GgufHeader.ALIGNMENT + ": it is always " + GgufHeader.USUAL_ALIGNMENT);
    }
    Set<String> names = new HashSet<>();
    for (Entry entry : entries) {
      if (!names.add(entry.name())) {
        problems.add(Malformed.quote(entry.name()) + ": the name is taken");
      }
      try {
        entry.bytes();
      } catch (IllegalArgumentException e) {
        problems.add(Malformed.quote(entry.name()) + ": " + e.getMessage());
      }
      if (entry.shape().dimension() > GgufHeader.MOST_DIMENSIONS) {
        problems.add(Malformed.quote(entry.name()) + ": more than 4 dimensions " + entry.shape());
      }
    }
    if (!problems.isEmpty()) {
      throw Malformed.all(
          file,
          "cannot be written",
          problems,
          "rename these tensors or take another type for them");
    }
  }

  private void head(Map<String, GgufValue> metadata, Collection<Entry> entries) {
    number(GgufHeader.MAGIC, 4);
    number(VERSION, 4);
    number(entries.size(), 8);
    number(metadata.size(), 8);
    metadata.forEach(
        (key, value) -> {
          text(key);
          number(value.type().number(), 4);
          value(value);
        });
    long at = 0;
    for (Entry entry : entries) {
      text(entry.name());
      int dimensions = entry.shape().dimension();
      number(dimensions, 4);
      for (int i = dimensions - 1; i >= 0; i--) {
        number(entry.shape().get(i), 8);
      }
      number(entry.ggml().id(), 4);
      number(at, 8);
      at += padded(entry.bytes());
    }
  }

  private static long padded(long n) {
    return (n + GgufHeader.USUAL_ALIGNMENT - 1)
        / GgufHeader.USUAL_ALIGNMENT
        * GgufHeader.USUAL_ALIGNMENT;
  }

  private static void pad(FileChannel channel) throws IOException {
    long at = channel.position();
    writeFully(channel, ByteBuffer.allocate((int) (padded(at) - at)));
  }

  private void value(GgufValue value) {
    GgufValue.Type element = value.element();
    if (element == null) {
      scalar(value.type(), value.content());
      return;
    }
    number(element.number(), 4);
    number(value.size(), 8);
    for (int i = 0; i < value.size(); i++) {
      Object e = value.content() instanceof List<?> l ? l.get(i) : Array.get(value.content(), i);
      if (e instanceof GgufValue inner) {
        value(inner);
      } else {
        scalar(element, e);
      }
    }
  }

  private void scalar(GgufValue.Type type, Object content) {
    switch (type) {
      case STRING -> text((String) content);
      case BOOL -> number((Boolean) content ? 1 : 0, 1);
      case FLOAT32 -> number(Float.floatToRawIntBits(((Number) content).floatValue()), 4);
      case FLOAT64 -> number(Double.doubleToRawLongBits(((Number) content).doubleValue()), 8);
      default -> number(((Number) content).longValue(), type.least());
    }
  }

  private void text(String s) {
    try {
      ByteBuffer utf8 = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(s));
      byte[] bytes = new byte[utf8.remaining()];
      utf8.get(bytes);
      number(bytes.length, 8);
      head.writeBytes(bytes);
    } catch (CharacterCodingException e) {
      throw Malformed.of(
          file, "cannot be written", "texts of Unicode characters", Malformed.quote(s), null);
    }
  }

  private void number(long n, int bytes) {
    for (int i = 0; i < bytes; i++) {
      head.write((int) (n >> (8 * i)));
    }
  }

  private void tensor(Entry entry, FileChannel channel) throws IOException {
    try (Scope scope = Scope.open()) {
      NDArray array = entry.values().get();
      if (!array.getShape().equals(entry.shape()) || array.getDataType() != DataType.FLOAT32) {
        throw Malformed.of(
            file,
            Malformed.quote(entry.name()) + " is not what was announced",
            DataType.FLOAT32 + " " + entry.shape(),
            array.getDataType() + " " + array.getShape(),
            null);
      }
      GgmlType type = entry.ggml();
      if (type.plain() != null) {
        Elements.store(array, type.plain(), b -> writeFully(channel, b), Elements.WINDOW);
      } else if (type.block() instanceof GgmlBlock.Encoder encoder) {
        Elements.windows(
            array,
            Elements.WINDOW,
            (first, bytes) -> pack(type, encoder, bytes.asFloatBuffer(), channel));
      }
    }
  }

  /** Packs pieces on all processors and writes them in their order. */
  private static void pack(
      GgmlType type, GgmlBlock.Encoder encoder, FloatBuffer numbers, FileChannel channel)
      throws IOException {
    int n = numbers.remaining();
    int pieces = (n + PIECE - 1) / PIECE;
    for (int from = 0; from < pieces; from += PIECES) {
      List<byte[]> packed =
          IntStream.range(from, Math.min(from + PIECES, pieces))
              .parallel()
              .mapToObj(i -> piece(type, encoder, numbers, i * PIECE))
              .toList();
      for (byte[] bytes : packed) {
        writeFully(channel, ByteBuffer.wrap(bytes));
      }
    }
  }

  private static byte[] piece(
      GgmlType type, GgmlBlock.Encoder encoder, FloatBuffer numbers, int at) {
    float[] from = new float[Math.min(PIECE, numbers.limit() - at)];
    numbers.duplicate().position(at).get(from);
    byte[] out = new byte[from.length / type.elements() * type.bytes()];
    for (int i = 0; i < from.length / type.elements(); i++) {
      encoder.encode(from, i * type.elements(), out, i * type.bytes());
    }
    return out;
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    bytes.order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }
}
