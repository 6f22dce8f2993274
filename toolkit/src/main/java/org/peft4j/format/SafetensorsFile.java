package org.peft4j.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Set;

/**
 * One open safetensors file. Tensors are read from their place in the file straight into the
 * array's memory: a mapping would copy no less, could not be closed in time on Windows and would
 * fault if another process cut the file short.
 */
final class SafetensorsFile implements TensorSource {
  private final Path file;
  private final FileChannel channel;
  private final SafetensorsHeader header;

  SafetensorsFile(Path file) throws IOException {
    this.file = file;
    channel = FileChannel.open(file, StandardOpenOption.READ);
    boolean done = false;
    try {
      header = SafetensorsHeader.read(file, channel);
      done = true;
    } finally {
      if (!done) {
        channel.close();
      }
    }
  }

  Map<String, String> metadata() {
    return header.metadata();
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
    if (slot.type().array() == null) {
      throw Malformed.of(
          file,
          Malformed.quote(name) + " cannot be loaded",
          "an element type that DJL has arrays for",
          slot.type(),
          "convert the tensor where the file was made, for example to I64 or F32");
    }
    try {
      return Elements.load(
          manager,
          slot.type(),
          slot.shape(),
          (offset, into) ->
              SafetensorsHeader.readFully(file, channel, slot.begin() + offset, into));
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": " + Malformed.quote(name), e);
    }
  }

  private SafetensorsHeader.Slot slot(String name) {
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
