package org.peft4j.format;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** The bytes of small GGUF files, sound or not, put together by hand. */
final class GgufBytes {
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();

  /** A tensor: type number, bytes, dimensions innermost first. */
  static final class Tensor {
    private final String name;
    private final int type;
    private final byte[] data;
    private final long[] dimensions;

    private Tensor(String name, int type, byte[] data, long... dimensions) {
      this.name = name;
      this.type = type;
      this.data = data;
      this.dimensions = dimensions;
    }
  }

  static Tensor tensor(String name, int type, byte[] data, long... dimensions) {
    return new Tensor(name, type, data, dimensions);
  }

  /** A version 3 file with texts as metadata, each tensor at a multiple of 32. */
  static byte[] file(Map<String, String> texts, List<Tensor> tensors) {
    GgufBytes b = new GgufBytes().head(3, tensors.size(), texts.size());
    texts.forEach((key, value) -> b.text(key).i32(8).text(value));
    long at = 0;
    for (Tensor t : tensors) {
      b.text(t.name).i32(t.dimensions.length);
      for (long d : t.dimensions) {
        b.i64(d);
      }
      b.i32(t.type).i64(at);
      at += (t.data.length + 31L) / 32 * 32;
    }
    for (Tensor t : tensors) {
      b.align().raw(t.data);
    }
    return b.align().bytes();
  }

  GgufBytes head(int version, long tensors, long keys) {
    return i32(GgufHeader.MAGIC).i32(version).i64(tensors).i64(keys);
  }

  GgufBytes text(String s) {
    byte[] utf8 = s.getBytes(StandardCharsets.UTF_8);
    return i64(utf8.length).raw(utf8);
  }

  GgufBytes i32(int n) {
    return raw(little(4).putInt(n).array());
  }

  GgufBytes i64(long n) {
    return raw(little(8).putLong(n).array());
  }

  GgufBytes raw(byte... bytes) {
    out.writeBytes(bytes);
    return this;
  }

  GgufBytes align() {
    return raw(new byte[(32 - out.size() % 32) % 32]);
  }

  byte[] bytes() {
    return out.toByteArray();
  }

  private static ByteBuffer little(int n) {
    return ByteBuffer.allocate(n).order(ByteOrder.LITTLE_ENDIAN);
  }
}
