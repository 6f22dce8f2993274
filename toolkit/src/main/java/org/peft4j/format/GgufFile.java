package org.peft4j.format;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.stream.LongStream;

/**
 * One open GGUF file. Blocks are read from their place in the file and unpacked straight into the
 * array's memory, pieces of it by all processors at once. (A mapping would be no faster, could not
 * be closed in time on Windows and would fault if another process cut the file short.)
 */
public final class GgufFile implements TensorSource {
  private static final int PIECE = 1 << 16; // numbers unpacked at a time, a multiple of any block

  private final Path file;
  private final FileChannel channel;
  private final GgufHeader header;
  private final GgufMetadata metadata;

  GgufFile(Path file) throws IOException {
    this.file = file;
    channel = FileChannel.open(file, StandardOpenOption.READ);
    boolean done = false;
    try {
      header = GgufHeader.read(file, channel);
      metadata = new GgufMetadata(file, header.values());
      done = true;
    } finally {
      if (!done) {
        channel.close();
      }
    }
  }

  /** What the file says about the model and its tokenizer. */
  public GgufMetadata metadata() {
    return metadata;
  }

  @Override
  public Path origin() {
    return file;
  }

  @Override
  public Set<String> names() {
    return header.slots().keySet();
  }

  @Override
  public Info info(String name) {
    var slot = slot(name);
    return new Info(slot.type().name(), slot.shape(), slot.bytes());
  }

  @Override
  public NDArray load(String name, NDManager manager) {
    var slot = slot(name);
    ElementType plain = slot.type().plain();
    GgmlBlock block = slot.type().block();
    try {
      if (plain != null) {
        return Elements.load(
            manager, plain, slot.shape(), (offset, into) -> read(slot.begin() + offset, into));
      }
      if (block != null) {
        return unpack(slot, block, manager);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": " + Malformed.quote(name), e);
    }
    throw Malformed.of(
        file,
        Malformed.quote(name) + " cannot be loaded",
        "one of the types " + GgmlType.loadable(),
        slot.type(),
        "take a file of the same model in another quantisation, such as Q4_K_M or Q8_0");
  }

  private NDArray unpack(GgufHeader.Slot slot, GgmlBlock block, NDManager manager)
      throws IOException {
    NDArray array = manager.create(slot.shape(), DataType.FLOAT32, Device.cpu());
    boolean done = false;
    try {
      Elements.windows(
          array,
          Elements.WINDOW,
          (first, bytes) -> {
            FloatBuffer out = bytes.asFloatBuffer();
            int n = out.remaining();
            LongStream.range(0, (n + PIECE - 1) / PIECE)
                .parallel()
                .forEach(i -> piece(slot, block, first, (int) (i * PIECE), out));
          });
      done = true;
      return array;
    } catch (UncheckedIOException e) {
      throw e.getCause();
    } finally {
      if (!done) {
        array.close();
      }
    }
  }

  /** Unpacks the numbers of {@code out} from {@code at} on, of which the first is {@code first}. */
  private void piece(GgufHeader.Slot slot, GgmlBlock block, long first, int at, FloatBuffer out) {
    GgmlType type = slot.type();
    int n = Math.min(PIECE, out.limit() - at);
    int blocks = n / type.elements();
    ByteBuffer packed = ByteBuffer.allocate(blocks * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    try {
      read(slot.begin() + (first + at) / type.elements() * type.bytes(), packed);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    float[] numbers = new float[n];
    for (int i = 0; i < blocks; i++) {
      block.decode(packed.array(), i * type.bytes(), numbers, i * type.elements());
    }
    out.duplicate().position(at).put(numbers);
  }

  private void read(long position, ByteBuffer into) throws IOException {
    SafetensorsHeader.readFully(file, channel, position, into);
  }

  private GgufHeader.Slot slot(String name) {
    var slot = header.slots().get(name);
    if (slot == null) {
      throw Names.missing(this, name);
    }
    return slot;
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
