package org.peft4j.format;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.peft4j.tensor.Buffers;

/**
 * Moves a tensor between a file's bytes and an array. Bytes go straight to and from the array's own
 * memory; elements that change their width pass through a small buffer. Arrays beyond what one Java
 * buffer can show are seen in windows.
 */
final class Elements {
  /** Bytes of the largest window. */
  static final long WINDOW = 1L << 30;

  private static final int CHUNK = 1 << 15; // elements converted at a time

  static {
    if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
      throw new IllegalStateException("weight files are little-endian, and so must the machine be");
    }
  }

  private Elements() {}

  /** The bytes of one tensor. */
  @FunctionalInterface
  interface Source {
    /** Fills {@code into} up to its limit with the bytes from {@code offset} on. */
    void read(long offset, ByteBuffer into) throws IOException;
  }

  /** A part of an array, seen as bytes. */
  @FunctionalInterface
  interface Window {
    void at(long firstElement, ByteBuffer bytes) throws IOException;
  }

  /** A sink that takes all bytes of the buffer. */
  @FunctionalInterface
  interface Sink {
    void write(ByteBuffer bytes) throws IOException;
  }

  /** A new array of what {@code source} holds; closed again if reading fails. */
  static NDArray load(NDManager manager, ElementType type, Shape shape, Source source)
      throws IOException {
    return load(manager, type, shape, source, WINDOW);
  }

  static NDArray load(
      NDManager manager, ElementType type, Shape shape, Source source, long windowBytes)
      throws IOException {
    DataType arrayType = type.array();
    if (arrayType == null) {
      throw new IllegalArgumentException("no array type for " + type);
    }
    NDArray array = manager.create(shape, arrayType, Device.cpu());
    boolean done = false;
    try {
      windows(
          array,
          windowBytes,
          (first, bytes) -> {
            if (type.widens()) {
              widen(type, source, first, bytes);
            } else {
              source.read(first * type.width(), bytes);
              if (type == ElementType.BOOL) {
                normalise(bytes);
              }
            }
          });
      done = true;
      return array;
    } finally {
      if (!done) {
        array.close();
      }
    }
  }

  /** Whether arrays of that type can be written as {@code type}: themselves, or rounded. */
  static boolean stores(DataType array, ElementType type) {
    ElementType own = ElementType.of(array);
    return own == type
        || (own == ElementType.F32 && (type == ElementType.F16 || type == ElementType.BF16));
  }

  /** Writes an array's elements as {@code type}, which it {@link #stores}. */
  static void store(NDArray array, ElementType type, Sink sink, long windowBytes)
      throws IOException {
    boolean asIs = ElementType.of(array.getDataType()) == type;
    windows(
        array,
        windowBytes,
        (first, bytes) -> {
          if (asIs) {
            sink.write(bytes);
          } else {
            narrow(type, bytes, sink);
          }
        });
  }

  /** Shows {@code array} in row-major order, a window at a time. */
  static void windows(NDArray array, long windowBytes, Window body) throws IOException {
    long elements = array.size();
    int width = array.getDataType().getNumOfBytes();
    if (elements * width <= windowBytes) {
      if (elements > 0) {
        body.at(0, Buffers.view(array));
      }
      return;
    }
    long step = windowBytes / width;
    try (NDArray flat = array.reshape(-1)) {
      for (long first = 0; first < elements; first += step) {
        long end = Math.min(first + step, elements);
        try (NDArray part = flat.get(new NDIndex("{}:{}", first, end))) {
          body.at(first, Buffers.view(part));
        }
      }
    }
  }

  private static void widen(ElementType type, Source source, long first, ByteBuffer to)
      throws IOException {
    int width = type.width();
    int chunk = Math.min(CHUNK, to.remaining() / Float.BYTES);
    ByteBuffer scratch = ByteBuffer.allocateDirect(chunk * width).order(ByteOrder.LITTLE_ENDIAN);
    byte[] bytes = new byte[width == 1 ? chunk : 0];
    short[] shorts = new short[width == 2 ? chunk : 0];
    int[] floats = new int[chunk];
    var out = to.asIntBuffer();
    long element = first;
    while (out.hasRemaining()) {
      int n = Math.min(chunk, out.remaining());
      scratch.clear().limit(n * width);
      source.read(element * width, scratch);
      scratch.flip();
      if (width == 1) {
        scratch.get(bytes, 0, n);
        ShortFloats.widen(type, bytes, n, floats);
      } else {
        scratch.asShortBuffer().get(shorts, 0, n);
        ShortFloats.widen(type, shorts, n, floats);
      }
      out.put(floats, 0, n);
      element += n;
    }
  }

  private static void narrow(ElementType type, ByteBuffer from, Sink sink) throws IOException {
    var in = from.asIntBuffer();
    int chunk = Math.min(CHUNK, in.remaining());
    int[] floats = new int[chunk];
    short[] shorts = new short[chunk];
    ByteBuffer scratch =
        ByteBuffer.allocateDirect(chunk * Short.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    while (in.hasRemaining()) {
      int n = Math.min(chunk, in.remaining());
      in.get(floats, 0, n);
      ShortFloats.narrow(type, floats, n, shorts);
      scratch.clear();
      scratch.asShortBuffer().put(shorts, 0, n);
      scratch.limit(n * Short.BYTES);
      sink.write(scratch);
    }
  }

  /** PyTorch takes any other byte than 0 and 1 in a boolean array amiss. */
  private static void normalise(ByteBuffer bytes) {
    for (int i = 0; i < bytes.limit(); i++) {
      byte b = bytes.get(i);
      if (b != 0 && b != 1) {
        bytes.put(i, (byte) 1);
      }
    }
  }
}
