package org.peft4j.cli;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.peft4j.Models;
import org.peft4j.Onnx;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.export.GraphPass;
import org.peft4j.export.OnnxModel;
import org.peft4j.export.Profile;
import org.peft4j.export.WeightOnly;
import org.peft4j.generate.Decoder;
import org.peft4j.model.Pretrained;

/** A language model: the memory its export takes, and one token behind many, by its graphs. */
final class DecoderBench {
  private static final int TOGETHER = 16;

  /** Tokens of an ordinary question, and of its answer. */
  private static final int ANSWER = 200;

  private static final String STANDARD = "peft4j, " + Profile.STANDARD;
  private static final String INT4 = "peft4j, ort, int4";
  private static final long[][] TOKEN = {{100}};

  private final Path folder;
  private final String model;
  private final @Nullable Path against;
  private final int past;
  private final int threads;

  /**
   * @param against folder with a decoder.onnx of another exporter
   * @param past tokens read before steps are timed
   */
  DecoderBench(Path folder, String model, @Nullable Path against, int past, int threads) {
    this.folder = folder;
    this.model = model;
    this.against = against;
    this.past = past;
    this.threads = threads;
  }

  void run(Alternating timings) {
    Map<String, Path> files = graphs(timings);
    if (against != null) {
      files.put("other", against.resolve("decoder.onnx"));
    }
    Map<String, OnnxModel> models = new LinkedHashMap<>();
    try {
      files.forEach((name, file) -> models.put(name, OnnxModel.load(file, threads)));
      timeStep(timings, models);
      Map<String, OnnxModel> two = new LinkedHashMap<>(models);
      two.keySet().retainAll(Set.of(STANDARD, INT4));
      timeAnswer(timings, two);
    } finally {
      models.values().forEach(OnnxModel::close);
    }
  }

  /** One token after the other, all graphs behind about as many. */
  private void timeStep(Alternating timings, Map<String, OnnxModel> models) {
    Map<String, Decoder> decoders = new LinkedHashMap<>();
    try {
      Map<String, Runnable> steps = new LinkedHashMap<>();
      models.forEach(
          (name, graph) -> {
            Decoder decoder = graph.decoder(prompt(past), 0);
            decoders.put(name, decoder);
            decoder.begin();
            steps.put(name, () -> decoder.read(TOKEN));
          });
      timings.time("a token behind " + past, TOGETHER, steps);
    } finally {
      decoders.values().forEach(Decoder::close);
    }
  }

  /** A whole answer of ordinary length, as a program gets it: the cache grows, or is shared. */
  private static void timeAnswer(Alternating timings, Map<String, OnnxModel> models) {
    Map<String, Decoder> decoders = new LinkedHashMap<>();
    try {
      Map<String, Supplier<Runnable>> turns = new LinkedHashMap<>();
      models.forEach(
          (name, graph) ->
              turns.put(
                  name,
                  () -> {
                    Decoder decoder = graph.decoder(prompt(ANSWER), 0);
                    Decoder before = decoders.put(name, decoder);
                    if (before != null) {
                      before.close();
                    }
                    decoder.begin();
                    return () -> decoder.read(TOKEN);
                  }));
      timings.timeTurns("a token of " + ANSWER + " behind " + ANSWER, ANSWER, turns);
    } finally {
      decoders.values().forEach(Decoder::close);
    }
  }

  private static long[][] prompt(int length) {
    long[] prompt = new long[length];
    Arrays.setAll(prompt, i -> 100 + (i * 7919L) % 5000);
    return new long[][] {prompt};
  }

  private Map<String, Path> graphs(Alternating timings) {
    Map<String, Path> files = new LinkedHashMap<>();
    try (Pretrained language = Models.load(model);
        Tuned tuned = Peft.lora(language).apply()) {
      for (Profile profile : Profile.values()) {
        Path file = folder.resolve(profile + ".onnx");
        try (ExtraMemory extra = ExtraMemory.watch()) {
          Onnx.of(language).profile(profile).write(file);
          timings.add(
              "extra memory of the export, checked",
              "peft4j, " + profile,
              String.format(Locale.ROOT, "%.0f MiB", extra.peak() / (1 << 20)),
              "");
        }
        files.put("peft4j, " + profile, file);
        Path open = folder.resolve(profile + "-open.onnx");
        Onnx.withAdapters(tuned).profile(profile).write(open);
        files.put("peft4j, " + profile + ", places for LoRA", open);
      }
      Path small = folder.resolve("int4.onnx");
      Onnx.of(language)
          .profile(Profile.ORT)
          .types(WeightOnly.mixed().toArray(GraphPass[]::new))
          .write(small);
      files.put(INT4, small);
    }
    return files;
  }
}
