package org.peft4j.cli;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import com.github.freva.asciitable.AsciiTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.Models;
import org.peft4j.Onnx;
import org.peft4j.export.GraphPass;
import org.peft4j.export.OnnxModel;
import org.peft4j.export.Profile;
import org.peft4j.export.WeightOnly;
import org.peft4j.format.AtomicFiles;
import org.peft4j.generate.Decoder;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.GraphValue;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.tensor.Torch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What graphs cost in time, beside those of other exporters. */
@Command(
    name = "onnx",
    description =
        "Time graphs in ONNX Runtime: MiniLM, and a language model with its cache; beside graphs of"
            + " other exporters, runs alternating.",
    mixinStandardHelpOptions = true)
final class OnnxBenchCommand implements Callable<Integer> {
  @Option(
      names = "--model",
      paramLabel = "X",
      description = "A language model to time; without, MiniLM alone.")
  private @Nullable String model;

  @Option(
      names = "--against",
      paramLabel = "DIR",
      description =
          "encoder.onnx and decoder.onnx of another exporter, of the same shapes and names of"
              + " inputs and outputs.")
  private @Nullable Path against;

  @Option(
      names = "--past",
      defaultValue = "1024",
      description = "Tokens read before steps are timed; default ${DEFAULT-VALUE}.")
  private int past;

  @Option(
      names = "--runs",
      defaultValue = "30",
      description = "Timed runs of each, alternating; default ${DEFAULT-VALUE}.")
  private int runs;

  @Option(
      names = "--threads",
      defaultValue = "2",
      description = "Threads of each graph; default ${DEFAULT-VALUE}.")
  private int threads;

  private final List<String[]> lines = new ArrayList<>();

  @Override
  public Integer call() throws IOException {
    Path folder = Files.createTempDirectory("peft4j-bench");
    try {
      encoder(folder);
      if (model != null) {
        decoder(folder, model);
      }
    } finally {
      AtomicFiles.deleteTree(folder);
    }
    System.out.printf(Locale.ROOT, "medians of %d alternating runs, %d threads%n", runs, threads);
    System.out.println(
        AsciiTable.getTable(
            AsciiTable.NO_BORDERS,
            new String[] {"what", "graph", "time", "ratio to the first"},
            null,
            lines.toArray(String[][]::new)));
    return 0;
  }

  // ---- MiniLM

  private void encoder(Path folder) throws IOException {
    Path file = folder.resolve("encoder.onnx");
    try (Pretrained minilm = Models.load("minilm")) {
      Onnx.export(minilm, file); // the first one warms up
      long start = System.nanoTime();
      Onnx.export(minilm, file);
      lines.add(
          new String[] {
            "export of MiniLM, checked",
            "peft4j",
            String.format(Locale.ROOT, "%.2f s", (System.nanoTime() - start) / 1e9),
            ""
          });
    }
    Map<String, Path> files = new LinkedHashMap<>(Map.of("peft4j", file));
    if (against != null) {
      files.put("other", against.resolve("encoder.onnx"));
    }
    Map<String, OnnxSession> sessions = new LinkedHashMap<>();
    files.forEach((name, f) -> sessions.put(name, OnnxSession.load(f, threads)));
    try (NDManager manager = Torch.newManager()) {
      for (long rows : new long[] {1, 8}) {
        Map<String, Step> steps = new LinkedHashMap<>();
        sessions.forEach((name, s) -> steps.put(name, () -> read(s, manager, rows)));
        time("MiniLM " + rows + " x 128", steps);
      }
    } finally {
      sessions.values().forEach(OnnxSession::close);
    }
  }

  private static void read(OnnxSession session, NDManager manager, long rows) {
    try (NDManager run = manager.newSubManager()) {
      Map<String, NDArray> in = new LinkedHashMap<>();
      for (GraphValue input : session.inputs()) {
        Shape shape = new Shape(rows, 128);
        boolean ones = !input.name().equals("token_type_ids");
        in.put(
            input.name(),
            ones ? run.ones(shape, DataType.INT64) : run.zeros(shape, DataType.INT64));
      }
      session.run(run, in);
    }
  }

  // ---- a language model

  private void decoder(Path folder, String name) throws IOException {
    Map<String, Path> files = new LinkedHashMap<>();
    try (Pretrained language = Models.load(name)) {
      for (Profile profile : Profile.values()) {
        Path file = folder.resolve(profile + ".onnx");
        Onnx.of(language).profile(profile).write(file);
        files.put("peft4j, " + profile, file);
      }
      Path small = folder.resolve("int4.onnx");
      Onnx.of(language)
          .profile(Profile.ORT)
          .types(WeightOnly.mixed().toArray(GraphPass[]::new))
          .write(small);
      files.put("peft4j, ort, int4", small);
    }
    if (against != null) {
      files.put("other", against.resolve("decoder.onnx"));
    }
    Map<String, OnnxModel> models = new LinkedHashMap<>();
    Map<String, Decoder> decoders = new LinkedHashMap<>();
    try {
      Map<String, Step> steps = new LinkedHashMap<>();
      long[] prompt = new long[past];
      Arrays.setAll(prompt, i -> 100 + (i * 7919L) % 5000);
      for (Map.Entry<String, Path> e : files.entrySet()) {
        OnnxModel graph = OnnxModel.load(e.getValue(), threads);
        models.put(e.getKey(), graph);
        Decoder decoder = graph.decoder(new long[][] {prompt}, 0);
        decoders.put(e.getKey(), decoder);
        decoder.begin();
        steps.put(e.getKey(), () -> decoder.read(new long[][] {{100}}));
      }
      time("one token behind " + past, steps);
    } finally {
      decoders.values().forEach(Decoder::close);
      models.values().forEach(OnnxModel::close);
    }
  }

  // ---- time

  private interface Step {
    void run();
  }

  /** Runs in turn, so that what else the machine does meets all of them. */
  private void time(String what, Map<String, Step> steps) {
    Map<String, double[]> times = new LinkedHashMap<>();
    steps.keySet().forEach(name -> times.put(name, new double[runs]));
    for (int i = -3; i < runs; i++) {
      for (Map.Entry<String, Step> e : steps.entrySet()) {
        long start = System.nanoTime();
        e.getValue().run();
        double elapsed = (System.nanoTime() - start) / 1e6;
        if (i >= 0) {
          java.util.Objects.requireNonNull(times.get(e.getKey()))[i] = elapsed;
        }
      }
    }
    double[] first = times.values().iterator().next();
    times.forEach(
        (name, ms) -> {
          double[] ratios = new double[runs];
          Arrays.setAll(ratios, i -> ms[i] / first[i]);
          lines.add(
              new String[] {
                what,
                name,
                String.format(Locale.ROOT, "%.2f ms", Median.of(ms)),
                ms == first ? "" : String.format(Locale.ROOT, "%.2f", Median.of(ratios))
              });
        });
  }
}
