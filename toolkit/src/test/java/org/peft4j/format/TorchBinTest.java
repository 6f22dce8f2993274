package org.peft4j.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.tensor.Torch;

@Tag("fast")
class TorchBinTest {
  @TempDir Path folder;
  private NDManager manager;

  @BeforeEach
  void open() {
    manager = Torch.newManager();
  }

  @AfterEach
  void close() {
    manager.close();
  }

  @Test
  void loads_every_tensor_as_pytorch_does() throws Exception {
    try (TensorSource source = TensorSource.open(Fixtures.path("torch/state.bin"));
        TensorSource expected = Safetensors.open(Fixtures.path("torch/expected.safetensors"))) {
      assertThat(source.names()).containsExactlyInAnyOrderElementsOf(expected.names());
      assertThat(source.names()).startsWith("plain", "second_row", "transposed", "stepped");
      for (String name : source.names()) {
        NDArray found = source.load(name, manager);
        NDArray wanted = expected.load(name, manager);
        assertThat(found.getShape()).as(name).isEqualTo(wanted.getShape());
        assertThat(found.getDataType()).as(name).isEqualTo(wanted.getDataType());
        assertThat(Fixtures.bits(found)).as(name).isEqualTo(Fixtures.bits(wanted));
      }
    }
  }

  @Test
  void describes_tensors_without_loading_them() throws Exception {
    try (TensorSource source = TensorSource.open(Fixtures.path("torch/state.bin"))) {
      assertThat(source.info("half_transposed"))
          .isEqualTo(new TensorSource.Info("HalfStorage", new Shape(3, 2), 12));
      assertThat(source.origin()).hasFileName("state.bin");
      assertThatThrownBy(() -> source.load("epoch", manager))
          .hasMessageContainingAll("state.bin", "no such tensor", "\"epoch\"");
    }
  }

  @Test
  void reads_newer_pickle_protocols() throws Exception {
    try (TensorSource source = TorchBin.open(Fixtures.path("torch/protocol4.bin"))) {
      assertThat(source.load("w", manager).toFloatArray()).containsExactly(1, 2);
    }
  }

  @Test
  void refuses_a_pickle_that_would_run_a_command_and_does_not_run_it() {
    assertThatThrownBy(() -> TorchBin.open(Fixtures.path("torch/malicious.bin")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(
            "malicious.bin",
            "a call of \"posix.system\", which is not run",
            "safetensors.torch.save_file");
    assertThat(Path.of("peft4j-was-here")).doesNotExist();
  }

  @Test
  void refuses_what_is_no_dictionary_of_tensors() {
    refused("module.bin", "a call of \"torch.nn.modules.linear.Linear\"");
    refused("script.bin", "a TorchScript module", "state_dict()");
    refused("nested.bin", "no tensors", "\"state_dict, epoch\"");
    refused("legacy.bin", "before PyTorch 1.6", "safetensors.torch.save_file");
    refused("expanded.bin", "\"w\": expected at most the 1 elements of its storage");
    refused("expected.safetensors", "no PyTorch checkpoint");
  }

  private static void refused(String name, String... messages) {
    assertThatThrownBy(() -> TorchBin.open(Fixtures.path("torch/" + name)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(name)
        .hasMessageContainingAll(messages);
  }

  /** The pickle of {@code {"w": tensor}} with these numbers, over a storage of 4 floats. */
  private static String pickle(
      String key, int elements, String offset, String shape, String strides) {
    return "\u0080\u0002}X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\n"
        + "FloatStorage\nX\1\0\0\0"
        + key
        + "X\3\0\0\0cpuK"
        + (char) elements
        + "tQ"
        + offset
        + shape
        + strides
        + "\u0089}tRs.";
  }

  private Path archive(String pickle, Map<String, byte[]> members) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      store(zip, "a/data.pkl", pickle.getBytes(StandardCharsets.ISO_8859_1));
      for (var member : members.entrySet()) {
        store(zip, "a/" + member.getKey(), member.getValue());
      }
    }
    return Files.write(folder.resolve("x.bin"), bytes.toByteArray());
  }

  private static void store(ZipOutputStream zip, String name, byte[] data) throws IOException {
    ZipEntry entry = new ZipEntry(name);
    CRC32 crc = new CRC32();
    crc.update(data);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(data.length);
    entry.setCrc(crc.getValue());
    zip.putNextEntry(entry);
    zip.write(data);
  }

  private void refusedPickle(String pickle, String... messages) throws IOException {
    Path file = archive(pickle, Map.of("data/0", new byte[16]));
    assertThatThrownBy(() -> TorchBin.open(file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("x.bin")
        .hasMessageContainingAll(messages);
  }

  @Test
  void refuses_views_beyond_their_storage() throws Exception {
    String k2 = "K\2\u0085";
    Path good = archive(pickle("0", 4, "K\2", k2, "K\1\u0085"), Map.of("data/0", new byte[16]));
    try (TensorSource source = TorchBin.open(good)) {
      assertThat(source.load("w", manager).toFloatArray()).containsExactly(0, 0);
    }
    String empty = "K\0K\2\u0086";
    Path none =
        archive(pickle("0", 4, "K\0", empty, "K\7K\7\u0086"), Map.of("data/0", new byte[16]));
    try (TensorSource source = TorchBin.open(none)) {
      assertThat(source.load("w", manager).getShape()).isEqualTo(new Shape(0, 2));
    }
    refusedPickle(pickle("0", 4, "K\3", k2, "K\1\u0085"), "\"w\"", "found one beyond");
    refusedPickle(pickle("0", 4, "K\0", k2, "K\4\u0085"), "found one beyond");
    refusedPickle(pickle("0", 4, "J\u00ff\u00ff\u00ff\u00ff", k2, "K\1\u0085"), "an offset");
    refusedPickle(pickle("0", 4, "K\0", k2, "J\u00ff\u00ff\u00ff\u00ff\u0085"), "found one beyond");
    refusedPickle(
        pickle("0", 4, "K\0", "J\u00ff\u00ff\u00ff\u00ff\u0085", "K\1\u0085"), "at least 0");
    refusedPickle(pickle("0", 4, "K\0", k2, "K\1K\1\u0086"), "one stride per dimension");
    refusedPickle(pickle("0", 5, "K\0", k2, "K\1\u0085"), "expected 20 bytes, found 16");
    refusedPickle(pickle("1", 4, "K\0", k2, "K\1\u0085"), "no member data/\"1\"");
    String huge = "\u008a\10\0\0\0\0\0\0\0\100\u0085"; // 2^62
    refusedPickle(pickle("0", 4, "K\0", huge, "K\1\u0085"), "less than 2^63 bits");
    refusedPickle(pickle("0", 4, "K\0", k2, huge), "found one beyond");
    refusedPickle(pickle("0", 4, huge.substring(0, 10), k2, "K\1\u0085"), "found one beyond");
  }

  @Test
  void refuses_broken_and_unneeded_pickle_programs() throws Exception {
    refusedPickle("", "the end of it");
    refusedPickle("\u0080\u0002", "the end of it");
    refusedPickle(".", "a value on the stack");
    refusedPickle("K\1.", "a dictionary of tensors", "long");
    refusedPickle("N.", "None");
    refusedPickle("t.", "a mark on the stack");
    refusedPickle("h\1.", "none of number 1");
    refusedPickle("}(K\1u.", "pairs of keys and values");
    refusedPickle("}]K\1s.", "dictionary keys of strings or integers", "sequence");
    refusedPickle("X\u00ff\u00ff\u00ff\u00ffa.", "a string within the file");
    refusedPickle("X\1\0\0\0\u00ff.", "text in UTF-8");
    refusedPickle("\u008a\u00ff.", "integers of 64 bits");
    refusedPickle("cos\nsystem\n(X\2\0\0\0lstR.", "\"os.system\"");
    refusedPickle("X\2\0\0\0osX\6\0\0\0system\u0093.", "\"os.system\"");
    refusedPickle("cbuiltins\neval\n", "\"builtins.eval\"");
    refusedPickle("ctorch.storage\nUntypedStorage\n.", "\"torch.storage.UntypedStorage\"");
    refusedPickle("(ios\nsystem\n.", "operation 0x69"); // INST
    refusedPickle("}\u0081.", "operation 0x81"); // NEWOBJ
    refusedPickle("X\1\0\0\0aQ.", "a list or a tuple", "string");
    refusedPickle(")Q.", "another persistent id");
    refusedPickle("}}R.", "a list or a tuple");
    refusedPickle("})R.", "the arguments of a tensor");
    refusedPickle("Ja", "the end of it");
  }

  @Test
  void refuses_packed_members_which_may_claim_any_length() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      zip.putNextEntry(new ZipEntry("a/data.pkl"));
      zip.write(new byte[10]);
    }
    Path file = Files.write(folder.resolve("x.bin"), bytes.toByteArray());
    assertThatThrownBy(() -> TorchBin.open(file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll("x.bin", "a/data.pkl", "found a packed one");
  }

  @Test
  void refuses_other_archives_and_big_endian_ones() throws Exception {
    assertThatThrownBy(
            () ->
                TorchBin.open(
                    archive("}.", Map.of("byteorder", "big".getBytes(StandardCharsets.US_ASCII)))))
        .hasMessageContainingAll("byte order", "\"big\"");
    for (byte[] bytes : List.of(new byte[0], new byte[] {'P'}, new byte[] {'P', 'K', 3, 4, 0})) {
      Path file = Files.write(folder.resolve("y.bin"), bytes);
      assertThatThrownBy(() -> TorchBin.open(file))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("y.bin");
    }
  }

  @Test
  void a_program_that_only_piles_up_values_ends() throws Exception {
    Path file = archive("}".repeat(6_000_000), Map.of());
    assertThatThrownBy(() -> TorchBin.open(file)).hasMessageContaining("at most 5000000 values");
  }

  @Test
  void an_empty_dictionary_is_fine() throws Exception {
    try (TensorSource source = TorchBin.open(archive("}.", Map.of()))) {
      assertThat(source.names()).isEmpty();
    }
  }
}
