package org.peft4j.onnx;

import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Reads the flatbuffer of {@link OnnxAdapter}, by whomever it was written. Nothing of a file is
 * believed: every position is checked, and what is kept is never larger than the file.
 */
final class AdapterReader {
  /** A table: where it is, and where its layout is. */
  private record Table(int at, int size, int layout, int layoutSize) {}

  private final Path file;
  private final ByteBuffer bytes;
  private long spent;

  private AdapterReader(Path file, ByteBuffer bytes) {
    this.file = file;
    this.bytes = bytes.order(ByteOrder.LITTLE_ENDIAN);
  }

  static OnnxAdapter read(Path file) {
    if (!Files.isRegularFile(file)) {
      throw new IllegalArgumentException(
          "no .onnx_adapter file\nexpected: a file at "
              + file.toAbsolutePath()
              + "\nfound: "
              + (Files.isDirectory(file) ? "a folder" : "none"));
    }
    try (FileChannel channel = FileChannel.open(file)) {
      long size = channel.size();
      if (size > Integer.MAX_VALUE) {
        throw damaged(file, size + " bytes, where 2 GiB are the most");
      }
      ByteBuffer bytes =
          size == 0
              ? ByteBuffer.allocate(0)
              : channel.map(FileChannel.MapMode.READ_ONLY, 0, size); // elements are not touched
      return new AdapterReader(file, bytes).adapter();
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be read: " + e.getMessage(), e);
    }
  }

  private static IllegalArgumentException damaged(Path file, String found) {
    return new IllegalArgumentException(
        file
            + ": not a whole .onnx_adapter file\nexpected: a flatbuffer with the identifier "
            + AdapterWriter.IDENTIFIER
            + "\nfound: "
            + found
            + "\nfix: write it again");
  }

  private IllegalArgumentException damaged(String found) {
    return damaged(file, found);
  }

  private OnnxAdapter adapter() {
    if (bytes.limit() < 8) {
      throw damaged(bytes.limit() + " bytes");
    }
    byte[] identifier = new byte[4];
    bytes.get(4, identifier);
    if (!new String(identifier, StandardCharsets.ISO_8859_1).equals(AdapterWriter.IDENTIFIER)) {
      throw damaged("another identifier, " + java.util.HexFormat.of().formatHex(identifier));
    }
    Table root = table(target(0));
    int format = number(root, 0);
    if (format != AdapterWriter.FORMAT) {
      throw damaged("format version " + format + ", where " + AdapterWriter.FORMAT + " is known");
    }
    List<OnnxAdapter.Tensor> tensors = new ArrayList<>();
    Set<String> names = new HashSet<>();
    int list = field(root, 3);
    int count = list < 0 ? 0 : vector(target(list), 4);
    for (int i = 0; i < count; i++) {
      OnnxAdapter.Tensor t = tensor(table(target(target(list) + 4 + 4 * i)));
      if (!names.add(t.name())) {
        throw damaged("two tensors \"" + shown(t.name()) + "\"");
      }
      tensors.add(t);
    }
    return new OnnxAdapter(file, number(root, 1), number(root, 2), tensors);
  }

  private OnnxAdapter.Tensor tensor(Table t) {
    String name = text(required(t, 0, "a name"));
    String whose = "\"" + shown(name) + "\"";
    int dims = required(t, 1, "dimensions of " + whose);
    int rank = vector(dims, 8);
    long[] shape = new long[rank];
    for (int i = 0; i < rank; i++) {
      shape[i] = bytes.getLong(dims + 4 + 8 * i);
    }
    int code = number(t, 2);
    DataType type = Types.ofCode(code);
    if (type == null) {
      throw damaged("element type " + code + " of " + whose);
    }
    int data = required(t, 3, "elements of " + whose);
    int size = vector(data, 1);
    if (size != bytesOf(shape, type)) {
      throw damaged(
          size
              + " bytes of "
              + whose
              + ", which is "
              + Types.text(type)
              + " "
              + java.util.Arrays.toString(shape));
    }
    return new OnnxAdapter.Tensor(name, type, new Shape(shape), data + 4L);
  }

  /** Number of bytes, -1 where it is none. */
  private static long bytesOf(long[] shape, DataType type) {
    long n = type.getNumOfBytes();
    for (long d : shape) {
      if (d < 0 || d > Integer.MAX_VALUE || n > Integer.MAX_VALUE) {
        return -1;
      }
      n *= d;
    }
    return n;
  }

  private static String shown(String name) {
    String printable = name.replaceAll("\\p{Cntrl}", "?");
    return printable.length() <= 100 ? printable : printable.substring(0, 100) + "...";
  }

  // ---- flatbuffers

  private void require(long at, long size) {
    if (at < 0 || at + size > bytes.limit()) {
      throw damaged("it points to byte " + at + " of " + bytes.limit());
    }
  }

  /** What the offset at {@code at} points to. */
  private int target(int at) {
    require(at, 4);
    long target = at + (bytes.getInt(at) & 0xffffffffL);
    require(target, 4);
    return (int) target;
  }

  private Table table(int at) {
    long layout = (long) at - bytes.getInt(at);
    require(layout, 4);
    int layoutSize = Short.toUnsignedInt(bytes.getShort((int) layout));
    int size = Short.toUnsignedInt(bytes.getShort((int) layout + 2));
    if (layoutSize < 4 || layoutSize % 2 != 0 || size < 4) {
      throw damaged("a table of " + size + " bytes with a layout of " + layoutSize);
    }
    require(layout, layoutSize);
    require(at, size);
    return new Table(at, size, (int) layout, layoutSize);
  }

  /** Position of a field of four bytes; -1 where it is left out. */
  private int field(Table t, int index) {
    int entry = 4 + 2 * index;
    int offset =
        entry + 2 > t.layoutSize ? 0 : Short.toUnsignedInt(bytes.getShort(t.layout + entry));
    if (offset == 0) {
      return -1;
    }
    if (offset < 4 || offset + 4 > t.size) {
      throw damaged("a field outside of its table");
    }
    return t.at + offset;
  }

  private int number(Table t, int index) {
    int at = field(t, index);
    return at < 0 ? 0 : bytes.getInt(at);
  }

  private int required(Table t, int index, String what) {
    int at = field(t, index);
    if (at < 0) {
      throw damaged("a tensor without " + what);
    }
    return target(at);
  }

  /** Number of elements of a vector whose length stands at {@code at}. */
  private int vector(int at, int elementSize) {
    long count = bytes.getInt(at) & 0xffffffffL;
    require(at + 4L, count * elementSize);
    spent += count * elementSize;
    if (spent > bytes.limit()) {
      throw damaged("parts that overlap");
    }
    return (int) count;
  }

  private String text(int at) {
    int length = vector(at, 1);
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(bytes.slice(at + 4, length)).toString();
    } catch (CharacterCodingException e) {
      throw damaged("a name that is not in UTF-8");
    }
    if (text.isEmpty()) {
      throw damaged("a tensor without a name");
    }
    return text;
  }
}
