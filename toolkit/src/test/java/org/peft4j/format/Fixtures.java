package org.peft4j.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.tensor.Buffers;

/** Files made by src/test/python/format_fixtures.py, and small malformed ones made here. */
final class Fixtures {
  private Fixtures() {}

  static Path path(String name) {
    URL url = Fixtures.class.getResource("/format/" + name);
    if (url == null) {
      throw new IllegalStateException("no fixture " + name + "; see format_fixtures.py");
    }
    try {
      return Path.of(url.toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  static byte[] bytes(String name) {
    try {
      return Files.readAllBytes(path(name));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static String text(String name) {
    return new String(bytes(name), StandardCharsets.UTF_8);
  }

  /** Starts a class's main method in a JVM of its own. */
  static Process start(Class<?> main, String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx64m", "-cp"));
    command.add(
        String.join(
            File.pathSeparator,
            System.getProperty("java.class.path"),
            place(AtomicFiles.class),
            place(Fixtures.class),
            place(Nullable.class)));
    command.add(main.getName());
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command).redirectErrorStream(true).start();
  }

  private static String place(Class<?> type) {
    try {
      return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Where a file first differs from a fixture; -1 when it does not. */
  static long mismatch(Path file, String fixture) throws IOException {
    return Files.mismatch(file, path(fixture));
  }

  /** The bytes of a safetensors file with any header and any data. */
  static byte[] safetensors(String header, byte[] data) {
    return safetensors(header.getBytes(StandardCharsets.UTF_8), data);
  }

  static byte[] safetensors(byte[] header, byte[] data) {
    return ByteBuffer.allocate(8 + header.length + data.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(header.length)
        .put(header)
        .put(data)
        .array();
  }

  /** The bits of an array's elements; NaNs of any kind become one. */
  static long[] bits(NDArray array) {
    long[] out = new long[(int) array.size()];
    if (out.length == 0) {
      return out;
    }
    ByteBuffer bytes = Buffers.view(array);
    DataType type = array.getDataType();
    for (int i = 0; i < out.length; i++) {
      out[i] =
          switch (type) {
            case FLOAT32 -> Float.floatToIntBits(bytes.getFloat());
            case FLOAT64 -> Double.doubleToLongBits(bytes.getDouble());
            case INT64 -> bytes.getLong();
            case INT32 -> bytes.getInt();
            case INT16, FLOAT16 -> bytes.getShort();
            case INT8, UINT8, BOOLEAN -> bytes.get();
            default -> throw new IllegalArgumentException(type.toString());
          };
    }
    return out;
  }
}
