package org.peft4j.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.TensorPickle.Storage;
import org.peft4j.format.TensorPickle.Strided;

/**
 * A state dictionary as {@code torch.save} writes it since PyTorch 1.6: a zip archive with a pickle
 * of names, shapes and strides, and one stored member per storage. Nothing the pickle names is run:
 * any other name than those of tensors is refused. Values that are no tensors are passed over.
 */
public final class TorchBin implements TensorSource {
  private static final int LARGEST_PICKLE = 16 << 20;
  private static final String PICKLE = "/data.pkl";

  private record Tensor(Strided view, ZipEntry member, Info info) {}

  private final Path file;
  private final ZipFile zip;
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  private TorchBin(Path file, ZipFile zip) {
    this.file = file;
    this.zip = zip;
  }

  /**
   * Opens a checkpoint and checks every tensor against the archive.
   *
   * @throws IllegalArgumentException when it is no such archive, holds anything but tensors, or is
   *     of the format before PyTorch 1.6
   */
  public static TorchBin open(Path file) throws IOException {
    byte[] head;
    try (InputStream in = Files.newInputStream(file)) {
      head = in.readNBytes(4);
    }
    if (head.length > 0 && (head[0] & 0xff) == 0x80) {
      throw Malformed.of(
          file,
          "a pickle of the format before PyTorch 1.6",
          "the zip format that torch.save writes",
          "a bare pickle",
          TensorPickle.FIX);
    }
    if (head.length < 4 || head[0] != 'P' || head[1] != 'K') {
      throw Malformed.of(
          file, "no PyTorch checkpoint", "a zip archive", "other bytes", "copy the file again");
    }
    ZipFile zip;
    try {
      zip = new ZipFile(file.toFile());
    } catch (IOException | IllegalArgumentException e) {
      throw Malformed.of(
          file, "damaged", "a zip archive", e.getMessage() + "", "copy the file again");
    }
    TorchBin source = new TorchBin(file, zip);
    boolean done = false;
    try {
      source.readNames();
      done = true;
      return source;
    } finally {
      if (!done) {
        source.close();
      }
    }
  }

  private void readNames() throws IOException {
    List<? extends ZipEntry> pickles;
    try {
      pickles = zip.stream().filter(e -> e.getName().matches("[^/]+" + PICKLE)).toList();
    } catch (IllegalArgumentException e) { // as the JDK reads the names of members
      throw Malformed.of(
          file, "damaged", "members named in UTF-8", e.getMessage() + "", "copy the file again");
    }
    if (pickles.size() != 1) {
      throw Malformed.of(
          file, "no PyTorch checkpoint", "one member NAME/data.pkl", pickles.size() + "", null);
    }
    ZipEntry pickle = pickles.get(0);
    String folder = pickle.getName().substring(0, pickle.getName().length() - PICKLE.length());
    if (zip.getEntry(folder + "/constants.pkl") != null) {
      throw Malformed.of(
          file,
          "a TorchScript module",
          "a dictionary of tensors",
          "compiled code",
          "save model.state_dict() instead, with safetensors.torch.save_file");
    }
    requireLittleEndian(zip.getEntry(folder + "/byteorder"));
    Map<String, @Nullable Strided> values = TensorPickle.read(file, bytes(pickle, LARGEST_PICKLE));
    List<String> problems = new ArrayList<>();
    values.forEach(
        (name, view) -> {
          if (view != null) {
            try {
              tensors.put(name, tensor(folder, view));
            } catch (IllegalArgumentException e) {
              problems.add(Malformed.quote(name) + ": " + e.getMessage());
            }
          }
        });
    if (!problems.isEmpty()) {
      throw Malformed.all(file, "tensors do not fit the archive", problems, TensorPickle.FIX);
    }
    if (tensors.isEmpty() && !values.isEmpty()) {
      throw Malformed.of(
          file,
          "no tensors",
          "a dictionary from names to tensors",
          "the keys " + Malformed.quote(String.join(", ", values.keySet())),
          "save the state dictionary itself");
    }
  }

  private Tensor tensor(String folder, Strided view) {
    Storage storage = view.storage();
    ZipEntry member = zip.getEntry(folder + "/data/" + storage.key());
    long storageBytes = storage.type().bytes(List.of(storage.elements()));
    if (member == null) {
      throw new IllegalArgumentException("no member data/" + Malformed.quote(storage.key()));
    }
    if (stored(member) < storageBytes) {
      throw new IllegalArgumentException(
          "expected " + storageBytes + " bytes, found " + stored(member));
    }
    long bytes = storage.type().bytes(view.shape());
    Strides.requireWithin(view);
    Info info = new Info(storage.typeName(), ElementType.shape(view.shape()), bytes);
    return new Tensor(view, member, info);
  }

  /** The length of a member, which must be stored as it is: a packed one may claim any length. */
  private static long stored(ZipEntry member) {
    if (member.getMethod() != ZipEntry.STORED || member.getSize() != member.getCompressedSize()) {
      throw new IllegalArgumentException("expected a stored member, found a packed one");
    }
    return member.getSize();
  }

  private byte[] bytes(ZipEntry member, int most) throws IOException {
    try {
      if (stored(member) > most) {
        throw new IllegalArgumentException(
            "expected at most " + most + " bytes, found " + member.getSize());
      }
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(file + ": " + member.getName() + ": " + e.getMessage(), e);
    }
    try (InputStream in = zip.getInputStream(member)) {
      return in.readNBytes(most);
    } catch (IOException e) {
      throw new IOException(file + ": " + member.getName() + ": " + e.getMessage(), e);
    }
  }

  private void requireLittleEndian(@Nullable ZipEntry member) throws IOException {
    if (member != null) {
      String order = new String(bytes(member, 16), StandardCharsets.US_ASCII).strip();
      if (!order.equals("little")) {
        throw Malformed.of(file, "byte order", "little", Malformed.quote(order), TensorPickle.FIX);
      }
    }
  }

  @Override
  public Path origin() {
    return file;
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(tensors.keySet());
  }

  @Override
  public Info info(String name) {
    return find(name).info;
  }

  @Override
  public NDArray load(String name, NDManager manager) {
    Tensor tensor = find(name);
    Strided view = tensor.view;
    ElementType type = view.storage().type();
    try (Member member = new Member(tensor.member)) {
      Elements.Source source;
      if (Strides.contiguous(view)) {
        long begin = view.offset() * type.width();
        source = (offset, into) -> member.read(begin + offset, into);
      } else {
        ByteBuffer gathered = Strides.gather(file, view, member::read);
        source = (offset, into) -> copy(gathered, offset, into);
      }
      return Elements.load(manager, type, tensor.info.shape(), source);
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": " + Malformed.quote(name), e);
    }
  }

  private static void copy(ByteBuffer from, long offset, ByteBuffer into) {
    int n = into.remaining();
    into.put(into.position(), from, (int) offset, n);
    into.position(into.limit());
  }

  private Tensor find(String name) {
    Tensor tensor = tensors.get(name);
    if (tensor == null) {
      throw Names.missing(this, name);
    }
    return tensor;
  }

  @Override
  public void close() {
    try {
      zip.close();
    } catch (IOException e) {
      throw new UncheckedIOException(file.toString(), e);
    }
  }

  @Override
  public String toString() {
    return file + ": " + names().size() + " tensors";
  }

  /** A member of the archive, read forwards. */
  private final class Member implements AutoCloseable {
    private final ZipEntry entry;
    private final byte[] buffer = new byte[1 << 16];
    private @Nullable InputStream in;
    private long at;

    Member(ZipEntry entry) {
      this.entry = entry;
    }

    void read(long offset, ByteBuffer into) throws IOException {
      InputStream stream = in;
      if (stream == null || offset < at) {
        close();
        stream = zip.getInputStream(entry);
        in = stream;
        at = 0;
      }
      stream.skipNBytes(offset - at);
      at = offset;
      while (into.hasRemaining()) {
        int n = stream.read(buffer, 0, Math.min(buffer.length, into.remaining()));
        if (n < 0) {
          throw new EOFException(file + ": " + entry.getName() + " ends at byte " + at);
        }
        into.put(buffer, 0, n);
        at += n;
      }
    }

    @Override
    public void close() throws IOException {
      if (in != null) {
        in.close();
      }
    }
  }
}
