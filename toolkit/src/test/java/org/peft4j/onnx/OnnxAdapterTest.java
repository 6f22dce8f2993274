package org.peft4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.onnxruntime.OrtLoraAdapter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Torch;

/** Files of adapters, as ONNX Runtime reads them. */
@Tag("fast")
class OnnxAdapterTest {
  @TempDir Path folder;
  private final NDManager manager = Torch.newManager();

  @AfterEach
  void close() {
    manager.close();
  }

  /** Names of lengths that need every amount of padding. */
  private List<Initializer> tensors() {
    return List.of(
        Initializer.of("m.lora_A.weight", values(7, 3)),
        Initializer.of("m.lora_B.weight", values(3, 5)),
        Initializer.of("ma.lora_A.weight", values(7, 0)),
        Initializer.of("mod\u00fcl.lora_B", values(1)),
        Initializer.of("half", values(3, 3).toType(DataType.FLOAT16, false)),
        Initializer.of("x", DataType.UINT8, new Shape(3), new byte[] {1, 2, 3}),
        Initializer.of("numbers", DataType.INT64, new Shape(1, 1, 2), new byte[16]));
  }

  private NDArray values(long... shape) {
    return Seed.of(3).at(Arrays.toString(shape)).normal(manager, new Shape(shape), 1);
  }

  private Path written(String name, List<Initializer> tensors) throws IOException {
    Path file = folder.resolve(name);
    OnnxAdapter.write(file, -7, tensors);
    return file;
  }

  @Test
  void what_is_written_is_read_back() throws Exception {
    Path file = written("a.onnx_adapter", tensors());
    OnnxAdapter read = OnnxAdapter.read(file);
    assertThat(read.adapterVersion()).isEqualTo(1);
    assertThat(read.modelVersion()).isEqualTo(-7);
    assertThat(read.tensors()).hasSameSizeAs(tensors());
    for (int i = 0; i < read.tensors().size(); i++) {
      Initializer wrote = tensors().get(i);
      OnnxAdapter.Tensor t = read.tensors().get(i);
      assertThat(t.name()).isEqualTo(wrote.name());
      assertThat(t.type()).isEqualTo(wrote.type());
      assertThat(t.shape()).isEqualTo(wrote.shape());
      assertThat(t.position() % 8).isZero();
      ByteBuffer expected = ByteBuffer.allocate((int) wrote.size());
      wrote.payload().forEachChunk(expected::put);
      byte[] all = Files.readAllBytes(file);
      int from = (int) t.position();
      assertThat(Arrays.copyOfRange(all, from, from + (int) t.size())).isEqualTo(expected.array());
    }
    assertThat(read.load(manager, "m.lora_A.weight").toFloatArray())
        .isEqualTo(values(7, 3).toFloatArray());
    assertThat(read.load(manager, "ma.lora_A.weight").getShape()).isEqualTo(new Shape(7, 0));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read.load(manager, "y"))
        .withMessageContaining("m.lora_A.weight");
    assertThat(read).hasToString("a.onnx_adapter: 7 tensors, 0.0 MB");
  }

  @Test
  void equal_tensors_give_equal_bytes_and_the_order_is_kept() throws Exception {
    Path a = written("a", tensors());
    assertThat(written("b", tensors())).hasSameBinaryContentAs(a);
    try (var files = Files.list(folder)) {
      assertThat(files).hasSize(2);
    }
  }

  @Test
  void onnx_runtime_takes_it() throws Exception {
    OnnxRuntime.environment();
    for (int n = 1; n <= tensors().size(); n++) {
      Path file = written("n" + n, tensors().subList(0, n));
      OrtLoraAdapter.create(file.toString()).close();
      OrtLoraAdapter.create(Files.readAllBytes(file)).close();
    }
  }

  @Test
  void nothing_is_written_of_tensors_that_cannot_be() throws Exception {
    Path file = folder.resolve("a");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OnnxAdapter.write(file, 0, List.of()))
        .withMessageContaining("without tensors");
    List<Initializer> twice = List.of(tensors().get(0), tensors().get(0));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OnnxAdapter.write(file, 0, twice))
        .withMessageContaining("m.lora_A.weight");
    List<Initializer> scalar = List.of(Initializer.of("s", manager.ones(new Shape())));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OnnxAdapter.write(file, 0, scalar))
        .withMessageContaining("without dimensions");
    NDArray gone = manager.ones(new Shape(2));
    List<Initializer> closed = List.of(tensors().get(0), Initializer.of("gone", gone));
    gone.close();
    assertThatThrownBy(() -> OnnxAdapter.write(file, 0, closed))
        .isInstanceOf(IllegalStateException.class);
    try (var files = Files.list(folder)) {
      assertThat(files).isEmpty();
    }
  }

  @Test
  void a_file_that_is_something_else_is_named() throws Exception {
    Path file = folder.resolve("a");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OnnxAdapter.read(file))
        .withMessageContaining(file.toString())
        .withMessageContaining("found: none");
    Files.writeString(file, "");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OnnxAdapter.read(file))
        .withMessageContaining(file.toString())
        .withMessageContaining("0 bytes");
    Files.writeString(file, "{\"peft_type\": \"LORA\"}", StandardCharsets.UTF_8);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OnnxAdapter.read(file))
        .withMessageContaining("TORT")
        .withMessageContaining("another identifier");
  }

  /** A shortened file has lost its last elements, whatever else. */
  @Test
  void a_shortened_file_is_refused() throws Exception {
    byte[] whole = Files.readAllBytes(written("a", tensors()));
    Path file = folder.resolve("b");
    for (int n = 0; n < whole.length; n++) {
      Files.write(file, Arrays.copyOf(whole, n));
      assertThatIllegalArgumentException()
          .as("%d of %d bytes", n, whole.length)
          .isThrownBy(() -> OnnxAdapter.read(file))
          .withMessageContaining("fix: write it again");
    }
  }

  @Test
  void a_changed_file_is_read_or_refused_and_nothing_else() throws Exception {
    byte[] whole = Files.readAllBytes(written("a", tensors()));
    int head = (int) OnnxAdapter.read(folder.resolve("a")).tensors().get(0).position();
    Path file = folder.resolve("b");
    Random random = new Random(11);
    int refused = 0;
    for (int round = 0; round < 2000; round++) {
      byte[] changed = whole.clone();
      for (int k = 0; k <= random.nextInt(3); k++) {
        int at = random.nextInt(head);
        changed[at] = (byte) (random.nextBoolean() ? random.nextInt(256) : changed[at] ^ 0xff);
      }
      Files.write(file, changed);
      Throwable thrown = catchThrowable(() -> OnnxAdapter.read(file));
      if (thrown != null) {
        assertThat(thrown)
            .isInstanceOf(IllegalArgumentException.class)
            .hasMessageContaining("not a whole .onnx_adapter file");
        refused++;
      }
    }
    assertThat(refused).isGreaterThan(500);
  }

  @Test
  void a_small_file_cannot_claim_to_be_large() throws Exception {
    byte[] whole = Files.readAllBytes(written("a", tensors().subList(0, 2)));
    ByteBuffer bytes = ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN);
    int list = 52;
    assertThat(bytes.getInt(list)).isEqualTo(2);
    bytes.putInt(list, 1 << 30);
    Path file = Files.write(folder.resolve("b"), whole);
    assertThatIllegalArgumentException().isThrownBy(() -> OnnxAdapter.read(file));
    bytes.putInt(list, 2);
    int first = list + 4;
    bytes.putInt(first + 4, bytes.getInt(first) - 4); // the second is the first again
    Files.write(file, whole);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OnnxAdapter.read(file))
        .withMessageContaining("two tensors \"m.lora_A.weight\"");
  }
}
