package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.ndarray.NDManager;
import ai.onnx.proto.OnnxMl.GraphProto;
import ai.onnx.proto.OnnxMl.ModelProto;
import ai.onnx.proto.OnnxMl.TensorProto;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Random;
import java.util.function.UnaryOperator;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.tensor.Torch;

/**
 * Damaged files: whatever bytes change, a reader either succeeds or throws an {@link
 * IllegalArgumentException} or {@link IOException} that names the file. {@code -Dpeft4j.fuzz=N}
 * sets the number of files per format; where a format is damaged in several ways, they share it.
 */
@Tag("fast")
class FuzzTest {
  private static final int COUNT = Integer.getInteger("peft4j.fuzz", 4000);
  private static final String[] TOKENS = {
    "0",
    "1",
    "-1",
    "9223372036854775807",
    "18446744073709551616",
    "1e9",
    "null",
    "\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"dtype\"",
    "\"shape\"",
    "\"F64\"",
    "\"F8_E4M3\"",
    "\u0000",
    "\\u0000",
    "\ud83d\ude00",
    "__metadata__"
  };

  @TempDir Path folder;

  @Test
  void damaged_safetensors_headers() throws Exception {
    byte[] file = Fixtures.bytes("dtypes.safetensors");
    int length = java.nio.ByteBuffer.wrap(file).order(java.nio.ByteOrder.LITTLE_ENDIAN).getInt();
    byte[] data = java.util.Arrays.copyOfRange(file, 8 + length, file.length);
    byte[] header = java.util.Arrays.copyOfRange(file, 8, 8 + length);
    fuzz(
        "h.safetensors",
        COUNT / 2,
        random -> {
          byte[] damaged = random.nextBoolean() ? bytes(header, random) : text(header, random);
          return Fixtures.safetensors(damaged, data);
        });
  }

  @Test
  void damaged_safetensors_files() throws Exception {
    byte[] file = Fixtures.bytes("written.safetensors");
    fuzz("b.safetensors", COUNT / 2, random -> bytes(file, random));
  }

  @Test
  void damaged_indexes() throws Exception {
    Files.copy(Fixtures.path("written.safetensors"), folder.resolve("s.safetensors"));
    byte[] index =
        ("{\"metadata\":{\"total_size\":1},\"weight_map\":{\"z\":\"s.safetensors\","
                + "\"k.f64\":\"s.safetensors\"}}")
            .getBytes(StandardCharsets.UTF_8);
    fuzz(
        "i.json",
        COUNT,
        random -> random.nextBoolean() ? bytes(index, random) : text(index, random));
  }

  @Test
  void damaged_torch_archives() throws Exception {
    byte[] file = Fixtures.bytes("torch/state.bin");
    fuzz("a.bin", COUNT / 2, random -> bytes(file, random));
  }

  @Test
  void damaged_pickles_in_sound_archives() throws Exception {
    fuzz(
        "p.bin",
        COUNT / 2,
        random -> withPickle(Fixtures.path("torch/state.bin"), pickle -> bytes(pickle, random)));
  }

  @Test
  void damaged_onnx_files() throws Exception {
    GraphProto.Builder graph = GraphProto.newBuilder();
    graph
        .addInitializer(
            OnnxWeightsTest.floats("onnx::MatMul_1", new long[] {2, 3}, 1, 2, 3, 4, 5, 6))
        .addInitializer(
            OnnxWeightsTest.tensor("l.bias", TensorProto.DataType.INT64, 2)
                .addInt64Data(1)
                .addInt64Data(2))
        .addNode(OnnxWeightsTest.node("/l/MatMul", "MatMul", "m", "x", "onnx::MatMul_1"))
        .addNode(OnnxWeightsTest.node("i", "Identity", "k.bias", "l.bias"));
    byte[] file = ModelProto.newBuilder().setGraph(graph).build().toByteArray();
    fuzz("o.onnx", COUNT, random -> bytes(file, random));
  }

  @Test
  void damaged_gguf_files() throws Exception {
    byte[] file = Files.readAllBytes(GgufFixtures.path("written.gguf"));
    fuzz("g.gguf", COUNT * 2 / 5, random -> bytes(file, random));
  }

  @Test
  void damaged_gguf_heads() throws Exception {
    byte[] file = Files.readAllBytes(GgufFixtures.path("types.gguf"));
    int head = 1408; // where its data begin
    byte[] data = java.util.Arrays.copyOfRange(file, head, file.length);
    byte[] before = java.util.Arrays.copyOf(file, head);
    fuzz(
        "h.gguf",
        COUNT * 2 / 5, // the last fifth damages metadata, where models are made of them
        random -> {
          byte[] damaged = bytes(before, random);
          return splice(data, 0, 0, damaged);
        });
  }

  @Test
  void damaged_json() {
    byte[] json = Fixtures.bytes("json/sorted.json");
    int sound = 0;
    for (int i = 0; i < COUNT; i++) {
      Random random = new Random(i);
      byte[] damaged = random.nextBoolean() ? bytes(json, random) : text(json, random);
      try {
        Object value = Json.parse(new String(damaged, StandardCharsets.UTF_8), "j.json");
        assertThat(Json.parse(Json.format(value), "again")).isEqualTo(value);
        sound++;
      } catch (IllegalArgumentException e) {
        assertThat(e.getMessage()).as("seed " + i).startsWith("j.json");
      }
    }
    assertThat(sound).isBetween(1, COUNT - 1);
  }

  private interface Damage {
    byte[] to(Random random) throws IOException;
  }

  private void fuzz(String name, int files, Damage damage) throws IOException {
    Path file = folder.resolve(name);
    int sound = 0;
    try (NDManager manager = Torch.newManager()) {
      for (int i = 0; i < files; i++) {
        Files.write(file, damage.to(new Random(i)));
        try (TensorSource source = TensorSource.open(file)) {
          for (String tensor : source.names()) {
            load(source, tensor, manager, name);
          }
          sound++;
        } catch (IllegalArgumentException | IOException e) {
          assertThat(e.getMessage()).as("seed " + i).contains(name);
        } catch (RuntimeException | Error e) {
          throw new AssertionError(name + ", seed " + i, e);
        }
      }
    }
    assertThat(sound).as("files that still open").isBetween(1, files - 1);
  }

  private static void load(TensorSource source, String tensor, NDManager manager, String file) {
    long bytes = source.info(tensor).bytes();
    assertThat(bytes).isLessThan(1 << 20);
    try {
      source.load(tensor, manager).close();
    } catch (IllegalArgumentException | UncheckedIOException e) {
      // an element type without arrays, or bytes that are not where the archive says
      assertThat(e.getMessage()).contains(source instanceof Shards ? "s.saf" : file);
    }
    assertThat(manager.getManagedArrays()).isEmpty();
  }

  /** Some bytes changed, cut, doubled or swapped. */
  private static byte[] bytes(byte[] original, Random random) {
    byte[] out = original.clone();
    for (int n = random.nextInt(4); n >= 0; n--) {
      int at = random.nextInt(out.length);
      int length = 1 + random.nextInt(Math.min(16, out.length - at));
      switch (random.nextInt(6)) {
        case 0 -> out[at] ^= (byte) (1 << random.nextInt(8));
        case 1 -> out[at] = (byte) random.nextInt(256);
        case 2 ->
            java.util.Arrays.fill(out, at, at + length, (byte) (random.nextBoolean() ? -1 : 0));
        case 3 -> out = splice(out, at, length, new byte[0]);
        case 4 -> {
          byte[] copy = java.util.Arrays.copyOfRange(out, at, at + length);
          out = splice(out, random.nextInt(out.length), 0, copy);
        }
        default -> {
          if (random.nextInt(4) == 0) {
            out = java.util.Arrays.copyOf(out, at);
          }
        }
      }
      if (out.length == 0) {
        return out;
      }
    }
    return out;
  }

  /** Some JSON token replaced or inserted. */
  private static byte[] text(byte[] original, Random random) {
    byte[] token = TOKENS[random.nextInt(TOKENS.length)].getBytes(StandardCharsets.UTF_8);
    int at = random.nextInt(original.length);
    int length = random.nextInt(Math.min(5, original.length - at));
    return splice(original, at, length, token);
  }

  private static byte[] splice(byte[] bytes, int at, int remove, byte[] insert) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(bytes, 0, at);
    out.writeBytes(insert);
    out.write(bytes, at + remove, bytes.length - at - remove);
    return out.toByteArray();
  }

  /** The archive with another pickle, all members stored and checksums right. */
  private static byte[] withPickle(Path archive, UnaryOperator<byte[]> change) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipFile in = new ZipFile(archive.toFile());
        ZipOutputStream out = new ZipOutputStream(bytes)) {
      for (ZipEntry entry : Collections.list(in.entries())) {
        byte[] data = in.getInputStream(entry).readAllBytes();
        if (entry.getName().endsWith("/data.pkl")) {
          data = change.apply(data);
        }
        CRC32 crc = new CRC32();
        crc.update(data);
        ZipEntry copy = new ZipEntry(entry.getName());
        copy.setMethod(ZipEntry.STORED);
        copy.setSize(data.length);
        copy.setCrc(crc.getValue());
        out.putNextEntry(copy);
        out.write(data);
      }
    }
    return bytes.toByteArray();
  }
}
