package org.peft4j.onnx;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Writes the flatbuffer of {@link OnnxAdapter}. Offsets in it point forward only, so tables come
 * first, then names and sizes, then the elements, which go from their arrays to the disk.
 *
 * <pre>
 * Adapter   { format_version: int, adapter_version: int, model_version: int, parameters: [Parameter] }
 * Parameter { name: string, dims: [int64], data_type: int, raw_data: [uint8] (aligned to 8) }
 * </pre>
 */
final class AdapterWriter {
  static final String IDENTIFIER = "TORT";
  static final int FORMAT = 1;

  /** Fields of either table; each is four bytes in the table and an entry of its layout. */
  private static final int FIELDS = 4;

  private static final int LAYOUT = 4 + 2 * FIELDS;
  private static final int TABLE = 4 + 4 * FIELDS;

  private static final int ROOT_LAYOUT = 8;
  private static final int ROOT = ROOT_LAYOUT + LAYOUT;
  private static final int PARAMETER_LAYOUT = ROOT + TABLE;
  private static final int PARAMETERS = PARAMETER_LAYOUT + LAYOUT;

  private final List<Initializer> tensors;
  private final int tables;
  private final List<byte[]> names = new ArrayList<>();
  private final List<Integer> namePositions = new ArrayList<>();
  private final List<Integer> dimPositions = new ArrayList<>();
  private final List<Integer> dataPositions = new ArrayList<>();
  private final int head;

  private AdapterWriter(List<Initializer> tensors) {
    this.tensors = tensors;
    tables = PARAMETERS + 4 + 4 * tensors.size();
    long end = tables + (long) TABLE * tensors.size();
    for (Initializer t : tensors) {
      byte[] name = t.name().getBytes(StandardCharsets.UTF_8);
      names.add(name);
      namePositions.add(fitting(end));
      end += 4 + name.length + 1; // ends in a zero
      end = beforeAligned(end);
      dimPositions.add(fitting(end));
      end += 4 + 8L * t.shape().dimension();
    }
    head = fitting(end);
    for (Initializer t : tensors) {
      end = beforeAligned(end);
      dataPositions.add(fitting(end));
      end += 4 + t.size();
    }
    fitting(end);
  }

  /** Offsets are of 32 bits, and readers refuse what is beyond 31. */
  private static int fitting(long position) {
    if (position > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "an .onnx_adapter file is smaller than 2 GiB\nfound: more than "
              + Integer.MAX_VALUE
              + " bytes\nfix: a smaller rank, or fewer modules");
    }
    return (int) position;
  }

  /** Where a length of four bytes ends at a multiple of eight. */
  private static long beforeAligned(long position) {
    return (position + 4 + 7) / 8 * 8 - 4;
  }

  static void write(Path file, int adapterVersion, int modelVersion, List<Initializer> tensors)
      throws IOException {
    Set<String> seen = new HashSet<>();
    for (Initializer t : tensors) {
      if (t.name().isEmpty() || !seen.add(t.name())) {
        throw new IllegalArgumentException(
            file + ": tensors need names of their own\nfound: \"" + t.name() + "\" twice or empty");
      }
      if (t.shape().dimension() == 0) {
        throw new IllegalArgumentException(
            file + ": ONNX Runtime takes no tensors without dimensions\nfound: " + t.name());
      }
    }
    if (tensors.isEmpty()) {
      throw new IllegalArgumentException(file + ": an adapter without tensors does nothing");
    }
    AdapterWriter layout = new AdapterWriter(List.copyOf(tensors));
    try (AtomicFile out = new AtomicFile(file)) {
      layout.<IOException>put(adapterVersion, modelVersion, out::write);
      out.complete();
    }
  }

  /** The same in memory, of tensors that are known to be fit. */
  static byte[] bytes(int adapterVersion, int modelVersion, List<Initializer> tensors) {
    AdapterWriter layout = new AdapterWriter(List.copyOf(tensors));
    ByteBuffer all = ByteBuffer.allocate(layout.size());
    layout.<RuntimeException>put(adapterVersion, modelVersion, all::put);
    return all.array();
  }

  private <E extends Exception> void put(int adapterVersion, int modelVersion, Payload.Sink<E> out)
      throws E {
    out.take(head(adapterVersion, modelVersion));
    int at = head;
    for (int i = 0; i < tensors.size(); i++) {
      Initializer t = tensors.get(i);
      out.take(ByteBuffer.allocate(dataPositions.get(i) - at));
      out.take(littleEndian(4).putInt(0, (int) t.size()));
      t.payload().forEachChunk(out);
      at = dataPositions.get(i) + 4 + (int) t.size();
    }
  }

  private int size() {
    int last = tensors.size() - 1;
    return dataPositions.get(last) + 4 + (int) tensors.get(last).size();
  }

  private static ByteBuffer littleEndian(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  private ByteBuffer head(int adapterVersion, int modelVersion) {
    ByteBuffer out = littleEndian(head);
    out.putInt(ROOT).put(IDENTIFIER.getBytes(StandardCharsets.US_ASCII));
    layout(out);
    out.putInt(ROOT - ROOT_LAYOUT).putInt(FORMAT).putInt(adapterVersion).putInt(modelVersion);
    offset(out, PARAMETERS);
    layout(out);
    out.putInt(tensors.size());
    for (int i = 0; i < tensors.size(); i++) {
      offset(out, tables + TABLE * i);
    }
    for (int i = 0; i < tensors.size(); i++) {
      out.putInt(out.position() - PARAMETER_LAYOUT);
      offset(out, namePositions.get(i));
      offset(out, dimPositions.get(i));
      out.putInt(Types.code(tensors.get(i).type()));
      offset(out, dataPositions.get(i));
    }
    for (int i = 0; i < tensors.size(); i++) {
      out.position(namePositions.get(i)).putInt(names.get(i).length).put(names.get(i));
      long[] dims = tensors.get(i).shape().getShape();
      out.position(dimPositions.get(i)).putInt(dims.length);
      for (long d : dims) {
        out.putLong(d);
      }
    }
    return out.rewind();
  }

  /** Where the fields of a table are, the same for both kinds of tables. */
  private static void layout(ByteBuffer out) {
    out.putShort((short) LAYOUT).putShort((short) TABLE);
    for (int i = 0; i < FIELDS; i++) {
      out.putShort((short) (4 + 4 * i));
    }
  }

  private static void offset(ByteBuffer out, int target) {
    out.putInt(target - out.position());
  }
}
