package org.peft4j.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.peft4j.tensor.Torch;

/** Files in ONNX Runtime. */
@Tag("fast")
class SessionTest {
  @TempDir Path folder;
  private final NDManager manager = Torch.newManager();
  private GraphExport export;
  private Path file;

  @BeforeEach
  void write() throws Exception {
    file = folder.resolve("m.onnx");
    export =
        GraphExport.of(
                Exported.block(
                    l ->
                        new NDList(
                            l.get(0).add(l.get(1).toType(DataType.FLOAT32, false)),
                            l.get(1).sum())))
            .inputs(Input.floats("x", "batch", 2), Input.of("mask", DataType.INT64, "batch", 2))
            .outputs("shifted", "count");
    try (OnnxGraph graph = export.trace()) {
      graph.write(file);
    }
  }

  @AfterEach
  void close() {
    manager.close();
  }

  private NDArray floats(long... shape) {
    return manager.ones(new Shape(shape));
  }

  private NDArray longs(long... shape) {
    return manager.ones(new Shape(shape), DataType.INT64);
  }

  @Test
  void runs_and_says_what_it_takes() {
    try (OnnxSession session = OnnxSession.load(file, 2)) {
      assertThat(session.inputs())
          .containsExactly(
              new GraphValue("x", DataType.FLOAT32, List.of("batch", "2")),
              new GraphValue("mask", DataType.INT64, List.of("batch", "2")));
      assertThat(session.outputs())
          .containsExactly(
              new GraphValue("shifted", DataType.FLOAT32, List.of("batch", "2")),
              new GraphValue("count", DataType.INT64, List.of()));
      assertThat(session)
          .hasToString(
              "m.onnx: [x float32[batch, 2], mask int64[batch, 2]] -> [shifted float32[batch, "
                  + "2], count int64[]]");
      NDArray x = manager.create(new float[] {1, 2, 3, 4, 5, 6}, new Shape(3, 2));
      Map<String, NDArray> y = session.run(manager, Map.of("x", x, "mask", longs(3, 2)));
      assertThat(y.keySet()).containsExactly("shifted", "count");
      assertThat(y.get("shifted").toFloatArray()).containsExactly(2, 3, 4, 5, 6, 7);
      assertThat(y.get("count").getLong()).isEqualTo(6);
      assertThat(y.get("count").getShape()).isEqualTo(new Shape());
    }
  }

  @Test
  void takes_arrays_that_are_views_or_empty() {
    try (OnnxSession session = OnnxSession.load(file, 1)) {
      NDArray x = manager.create(new float[] {1, 2, 3, 4, 5, 6}, new Shape(2, 3)).transpose();
      assertThat(
              session
                  .run(manager, Map.of("x", x, "mask", longs(3, 2)))
                  .get("shifted")
                  .toFloatArray())
          .containsExactly(2, 5, 3, 6, 4, 7);
      NDArray none =
          session.run(manager, Map.of("x", floats(0, 2), "mask", longs(0, 2))).get("shifted");
      assertThat(none.getShape()).isEqualTo(new Shape(0, 2));
    }
  }

  @Test
  void names_all_inputs_that_do_not_fit_at_once() {
    try (OnnxSession session = OnnxSession.load(file, 1)) {
      Map<String, NDArray> inputs = new HashMap<>();
      inputs.put("mask", floats(3, 2));
      inputs.put("y", floats(1));
      assertThatIllegalArgumentException()
          .isThrownBy(() -> session.run(manager, inputs))
          .withMessageContaining("missing: x float32[batch, 2]")
          .withMessageContaining("\"mask\" is float32 (3, 2), expected int64[batch, 2]")
          .withMessageContaining("unknown: \"y\", the inputs are [x, mask]");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> session.run(manager, Map.of("x", floats(3, 4), "mask", longs(3))))
          .withMessageContaining("\"x\" is float32 (3, 4), expected float32[batch, 2]")
          .withMessageContaining("\"mask\" is int64 (3), expected int64[batch, 2]");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> session.run(manager, Map.of("x", floats(3, 2), "mask", longs(4, 2))))
          .withMessageContaining("\"batch\" is 3 in \"x\" but 4 in \"mask\"");
    }
  }

  @Test
  void says_why_a_file_cannot_be_loaded() throws Exception {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OnnxSession.load(folder.resolve("none.onnx")))
        .withMessageContaining("no ONNX file");
    Path broken = folder.resolve("broken.onnx");
    Files.write(broken, new byte[] {1, 2, 3});
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OnnxSession.load(broken))
        .withMessageContaining("cannot load " + broken);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> OnnxSession.load(file, -1))
        .withMessageContaining("-1");
  }

  @Test
  void a_comparison_is_a_table() {
    try (OnnxSession session = OnnxSession.load(file, 1)) {
      Comparison c = export.compare(session);
      assertThat(c.passed()).isTrue();
      assertThat(c.orThrow()).isSameAs(c);
      assertThat(c.toString().lines())
          .containsExactly(
              "sizes    output   max |difference|  max |value|  same argmax  ",
              "batch=1  shifted          0.00e+00         "
                  + String.format(java.util.Locale.ROOT, "%.3g", c.rows().get(0).largest())
                  + "      100.0 %  ok",
              "batch=1  count            0.00e+00         "
                  + String.format(java.util.Locale.ROOT, "%.3g", c.rows().get(1).largest())
                  + "      100.0 %  ok",
              "batch=5  shifted          0.00e+00         "
                  + String.format(java.util.Locale.ROOT, "%.3g", c.rows().get(2).largest())
                  + "      100.0 %  ok",
              "batch=5  count            0.00e+00         "
                  + String.format(java.util.Locale.ROOT, "%.3g", c.rows().get(3).largest())
                  + "      100.0 %  ok",
              "tolerance 1e-04, passed");
    }
  }

  @Test
  void a_comparison_fails_on_other_numbers_shapes_and_what_is_no_number() throws Exception {
    GraphExport other =
        GraphExport.of(
                Exported.block(
                    l -> {
                      long n = l.get(0).getShape().get(0);
                      NDArray shifted =
                          l.get(0)
                              .add(l.get(1).toType(DataType.FLOAT32, false))
                              .add(n == 3 ? 1e-3f : n == 4 ? Float.NaN : 0);
                      return new NDList(n == 5 ? shifted.get(":, 0") : shifted, l.get(1).sum());
                    }))
            .inputs(Input.floats("x", "batch", 2), Input.of("mask", DataType.INT64, "batch", 2))
            .outputs("shifted", "count");
    try (OnnxSession session = OnnxSession.load(file, 1)) {
      List<Map<String, Long>> sizes =
          List.of(
              Exported.sizes("batch", 2),
              Exported.sizes("batch", 3),
              Exported.sizes("batch", 4),
              Exported.sizes("batch", 5));
      Comparison c = other.compare(session, 1e-4, sizes);
      assertThat(c.rows())
          .filteredOn(r -> r.output().equals("shifted"))
          .extracting(r -> r.within(1e-4))
          .containsExactly(true, false, false, false);
      assertThat(c.rows()).filteredOn(r -> r.output().equals("count")).allMatch(r -> r.within(0));
      assertThat(c.rows().get(2).difference()).isBetween(0.9e-3, 1.1e-3);
      assertThat(c.rows().get(4).difference()).isInfinite();
      assertThat(c.rows().get(6).note()).isEqualTo("expected float32 (5), found float32 (5, 2)");
      assertThat(c.largestDifference()).isInfinite();
      assertThatThrownBy(c::orThrow)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("FAILED expected float32 (5)");
      assertThat(other.compare(session, 1e-2, sizes.subList(0, 2)).passed()).isTrue();
    }
  }

  @Test
  void the_difference_allowed_grows_with_the_values() {
    Comparison.Row row = new Comparison.Row(Map.of(), "y", 5e-3, 100, 1, Double.NaN, "");
    assertThat(row.within(1e-4)).isTrue();
    assertThat(row.within(1e-5)).isFalse();
    assertThat(new Comparison.Row(Map.of(), "y", 5e-3, 0.01, 1, Double.NaN, "").within(1e-4))
        .isFalse();
  }

  @Test
  void starts_in_a_process_with_a_long_command_line() throws Exception {
    String path =
        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
    ProcessBuilder process =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-Dlong=" + "x".repeat(20_000),
            "-cp",
            path,
            "-Dfile=" + file,
            Start.class.getName());
    process.environment().remove("ORT_DISABLE_TELEMETRY");
    Process started = process.redirectErrorStream(true).start();
    String output = new String(started.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(started.waitFor()).as(output).isZero();
    assertThat(output).contains("mask int64[batch, 2]");
  }

  /** What that process does. */
  static final class Start {
    private Start() {}

    public static void main(String[] args) {
      try (OnnxSession session = OnnxSession.load(Path.of(System.getProperty("file")), 1)) {
        System.out.println(session);
      }
    }
  }
}
