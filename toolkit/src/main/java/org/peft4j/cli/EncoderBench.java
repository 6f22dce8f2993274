package org.peft4j.cli;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.Models;
import org.peft4j.Onnx;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.GraphValue;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.tensor.Torch;

/** MiniLM: how long its export takes, and its graphs. */
final class EncoderBench {
  private static final int TOKENS = 128;
  private static final int EXPORTS = 3;

  private final Path folder;
  private final @Nullable Path against;
  private final int threads;

  /**
   * @param against folder with an encoder.onnx of another exporter
   */
  EncoderBench(Path folder, @Nullable Path against, int threads) {
    this.folder = folder;
    this.against = against;
    this.threads = threads;
  }

  void run(Alternating timings) {
    Path file = folder.resolve("encoder.onnx");
    Path open = folder.resolve("encoder-open.onnx");
    try (Pretrained minilm = Models.load("minilm");
        Tuned tuned = Peft.lora(minilm).apply()) {
      Onnx.export(minilm, file); // the first one warms up
      double[] exports = new double[EXPORTS];
      for (int i = 0; i < EXPORTS; i++) {
        long start = System.nanoTime();
        Onnx.export(minilm, file);
        exports[i] = (System.nanoTime() - start) / 1e9;
      }
      double seconds = Median.of(exports);
      timings.add(
          "export of MiniLM, checked", "peft4j", String.format(Locale.ROOT, "%.2f s", seconds), "");
      Onnx.withAdapters(tuned).write(open);
    }
    Map<String, Path> files = new LinkedHashMap<>();
    files.put("peft4j", file);
    files.put("peft4j, places for LoRA", open);
    if (against != null) {
      files.put("other", against.resolve("encoder.onnx"));
    }
    Map<String, OnnxSession> sessions = new LinkedHashMap<>();
    files.forEach((name, f) -> sessions.put(name, OnnxSession.load(f, threads)));
    try (NDManager manager = Torch.newManager()) {
      for (long rows : new long[] {1, 8}) {
        Map<String, Runnable> steps = new LinkedHashMap<>();
        sessions.forEach((name, s) -> steps.put(name, () -> read(s, manager, rows)));
        timings.time("MiniLM " + rows + " x " + TOKENS, steps);
      }
    } finally {
      sessions.values().forEach(OnnxSession::close);
    }
  }

  private static void read(OnnxSession session, NDManager manager, long rows) {
    try (NDManager run = manager.newSubManager()) {
      Map<String, NDArray> in = new LinkedHashMap<>();
      for (GraphValue input : session.inputs()) {
        Shape shape = new Shape(rows, TOKENS);
        boolean ones = !input.name().equals("token_type_ids");
        in.put(
            input.name(),
            ones ? run.ones(shape, DataType.INT64) : run.zeros(shape, DataType.INT64));
      }
      session.run(run, in);
    }
  }
}
