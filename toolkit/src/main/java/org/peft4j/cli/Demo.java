package org.peft4j.cli;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import com.github.freva.asciitable.AsciiTable;
import com.github.freva.asciitable.Column;
import com.github.freva.asciitable.HorizontalAlign;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.peft4j.Models;
import org.peft4j.Onnx;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.data.Data;
import org.peft4j.data.Example;
import org.peft4j.data.Examples;
import org.peft4j.data.Splits;
import org.peft4j.export.Exported;
import org.peft4j.model.Inputs;
import org.peft4j.model.Pooling;
import org.peft4j.model.Pretrained;
import org.peft4j.notebook.Charts;
import org.peft4j.notebook.LineChart;
import org.peft4j.notebook.Progress;
import org.peft4j.onnx.OnnxSession;
import org.peft4j.spi.Fluent;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;
import org.peft4j.text.Batch;
import org.peft4j.text.Side;
import org.peft4j.text.Tokens;
import org.peft4j.train.Fit;

/**
 * From a real model and real data to a merged model in ONNX Runtime, with what it costs and what it
 * brings.
 */
final class Demo {
  /** How much of it: training glosses, held-out glosses, epochs, seeds. */
  enum Size {
    QUICK(5_000, 2_000, 1, 1),
    FULL(20_000, 4_000, 3, 3);

    final int train;
    final int test;
    final int epochs;
    final int seeds;

    Size(int train, int test, int epochs, int seeds) {
      this.train = train;
      this.test = test;
      this.epochs = epochs;
      this.seeds = seeds;
    }
  }

  private static final int VALIDATION = 1_000;
  private static final int COMPARED = 512;
  private static final long SPLIT_SEED = 7;

  private static final int BATCH = 32;

  /** The model's own, for both: without it they learn more in so few steps. */
  private static final double DROPOUT = 0;

  /** Chosen on the validation split, as {@link #FULL_RATE}. */
  private static final double LORA_RATE = 3e-3;

  private static final double FULL_RATE = 3e-4;

  private final Size size;
  private final Path out;
  private final Map<String, Row> rows = new LinkedHashMap<>();
  private final Map<String, Fit> losses = new LinkedHashMap<>();

  Demo(Size size, Path out) {
    this.size = size;
    this.out = out;
  }

  /** One line of the table: accuracies and seconds of all seeds. */
  private static final class Row {
    long trainable;
    final List<Double> accuracy = new ArrayList<>();
    final List<Double> seconds = new ArrayList<>();
  }

  void run() throws IOException {
    Splits data = Data.wordnet().split(SPLIT_SEED);
    Pretrained embedder = Models.load("minilm").withDropout(DROPOUT);
    System.out.println(embedder);
    System.out.printf(
        Locale.ROOT,
        "WordNet 3.1: tell the %d noun supersenses apart by their glosses; %,d of %,d glosses to train on, %,d held out%n",
        data.labels().size(),
        size.train,
        data.train().size(),
        size.test);
    printSample(data.test());
    Tuned last = null;
    for (int seed = 0; seed < size.seeds; seed++) {
      Examples train = data.train().sample(size.train, seed);
      Examples validation = data.validation().sample(VALIDATION, seed);
      Examples test = data.test().sample(size.test, seed);
      frozen(embedder, train, validation, test);
      Pretrained model = embedder.classify(data.labels(), Pooling.MEAN, seed);
      if (last != null) {
        last.close();
      }
      last =
          tune(
              "LoRA r 8 on q, v",
              Peft.lora(model).rank(8).alpha(16).targets("q", "v").seed(seed),
              LORA_RATE,
              train,
              test,
              seed);
      tune("full fine-tuning", Peft.full(model).seed(seed), FULL_RATE, train, test, seed).close();
    }
    System.out.println();
    System.out.println(table());
    if (last != null) {
      ship(last, data.test());
    }
  }

  private static void printSample(Examples rows) {
    Example e = rows.get(0);
    System.out.println("for example: \"" + e.text() + "\" -> " + rows.label(e));
  }

  // ---- the three contestants
  // -------------------------------------------------------------------------------------------------

  private void frozen(Pretrained embedder, Examples train, Examples validation, Examples test) {
    FrozenFeatures.Result result = FrozenFeatures.of(embedder, train, validation, test);
    record(
        "frozen features + logistic regression",
        result.trainable(),
        result.accuracy(),
        result.seconds());
  }

  private Tuned tune(
      String name,
      Fluent<?, ?, Tuned> method,
      double rate,
      Examples train,
      Examples test,
      long seed) {
    Tuned tuned = method.apply();
    Fit fit =
        tuned
            .fit(train)
            .epochs(size.epochs)
            .batchSize(BATCH)
            .learningRate(rate)
            .seed(seed)
            .quiet()
            .listen(new Progress.Training(name))
            .run();
    if (fit.ending() == Fit.Ending.INTERRUPTED) {
      throw new IllegalStateException("interrupted; nothing was written");
    }
    losses.putIfAbsent(name, fit);
    record(name, tuned.trainableParameters(), tuned.evaluate(test).main(), fit.seconds());
    return tuned;
  }

  private void record(String name, long trainable, double accuracy, double seconds) {
    Row row = rows.computeIfAbsent(name, n -> new Row());
    row.trainable = trainable;
    row.accuracy.add(accuracy);
    row.seconds.add(seconds);
    System.out.printf(
        Locale.ROOT, "%s: accuracy %.1f %% in %.0f s%n", name, 100 * accuracy, seconds);
  }

  private String table() {
    return AsciiTable.getTable(
        AsciiTable.BASIC_ASCII_NO_DATA_SEPARATORS,
        List.copyOf(rows.entrySet()),
        List.of(
            left("method").with(Map.Entry::getKey),
            new Column()
                .header("trainable")
                .with(e -> String.format(Locale.ROOT, "%,d", e.getValue().trainable)),
            new Column()
                .header("held-out accuracy")
                .with(e -> new Spread(e.getValue().accuracy).percent()),
            new Column()
                .header("seconds")
                .with(
                    e ->
                        String.format(
                            Locale.ROOT, "%.0f", new Spread(e.getValue().seconds).mean()))));
  }

  private static Column left(String header) {
    return new Column()
        .header(header)
        .headerAlign(HorizontalAlign.LEFT)
        .dataAlign(HorizontalAlign.LEFT)
        .maxWidth(60);
  }

  // ---- what is left of it
  // ----------------------------------------------------------------------------------------------------

  private void ship(Tuned tuned, Examples held) throws IOException {
    List<String> written = new ArrayList<>();
    try {
      Path chart = out.resolve("loss.png");
      Files.createDirectories(out);
      LineChart lines = Charts.losses("Training loss on WordNet glosses");
      for (Map.Entry<String, Fit> run : losses.entrySet()) {
        lines = lines.run(run.getKey(), run.getValue());
      }
      lines.write(chart);
      written.add("loss chart    " + chart);
    } catch (IllegalStateException e) {
      System.out.println(
          "no chart: " + String.valueOf(e.getMessage()).lines().findFirst().orElse(""));
    }
    Path adapter = out.resolve("adapter");
    tuned.save(adapter);
    written.add("adapter       " + adapter + " (Hugging Face PEFT's format)");
    Path graph = out.resolve("merged.onnx");
    try (Pretrained merged = tuned.merge()) {
      Exported exported = Onnx.export(merged, graph);
      written.add("merged model  " + graph);
      try (OnnxSession session = exported.session()) {
        compare(merged, session, held.take(COMPARED));
      }
    }
    System.out.println();
    written.forEach(System.out::println);
  }

  /** Both on the same glosses: how far apart, the same answers or not, and how fast. */
  private static void compare(Pretrained merged, OnnxSession session, Examples held) {
    List<Tokens> texts = merged.tokenizer().encodeAll(held.texts());
    double difference = 0;
    int same = 0;
    for (int from = 0; from < texts.size(); from += 32) {
      Batch batch =
          Batch.of(
              texts.subList(from, Math.min(texts.size(), from + 32)),
              merged.tokenizer().padId(),
              Side.RIGHT);
      try (Scope scope = Scope.open();
          NDManager manager = Torch.newManager()) {
        NDList in = Inputs.list(manager, batch);
        NDArray here = run(merged, manager, in);
        NDArray there = Objects.requireNonNull(session.run(manager, feed(in)).get("logits"));
        difference = Math.max(difference, here.sub(there).abs().max().getFloat());
        long[] a = here.argMax(1).toLongArray();
        long[] b = there.argMax(1).toLongArray();
        for (int i = 0; i < a.length; i++) {
          same += a[i] == b[i] ? 1 : 0;
        }
      }
    }
    System.out.printf(
        Locale.ROOT,
        "%nONNX Runtime against DJL on %d held-out glosses: max abs difference %.1e, same prediction in %d%n",
        texts.size(),
        difference,
        same);
    for (int n : new int[] {1, 16}) {
      latency(
          merged, session, Batch.of(texts.subList(0, n), merged.tokenizer().padId(), Side.RIGHT));
    }
  }

  private static NDArray run(Block model, NDManager manager, NDList in) {
    return Torch.inference(
        () -> model.forward(new ParameterStore(manager, false), in, false).get(0));
  }

  private static Map<String, NDArray> feed(NDList in) {
    Map<String, NDArray> feed = new LinkedHashMap<>();
    feed.put("input_ids", in.get(0));
    feed.put("attention_mask", in.get(1));
    feed.put("token_type_ids", in.get(2));
    return feed;
  }

  private static void latency(Pretrained merged, OnnxSession session, Batch batch) {
    double[] djl = new double[30];
    double[] ort = new double[30];
    for (int i = -5; i < djl.length; i++) { // the first five warm up
      try (Scope scope = Scope.open();
          NDManager manager = Torch.newManager()) {
        NDList in = Inputs.list(manager, batch);
        long start = System.nanoTime();
        run(merged, manager, in).toFloatArray();
        long between = System.nanoTime();
        session.run(manager, feed(in));
        long end = System.nanoTime();
        if (i >= 0) {
          djl[i] = (between - start) / 1e6;
          ort[i] = (end - between) / 1e6;
        }
      }
    }
    Arrays.sort(djl);
    Arrays.sort(ort);
    System.out.printf(
        Locale.ROOT,
        "latency of %d gloss%s (median of %d): DJL %.1f ms, ONNX Runtime %.1f ms%n",
        batch.rows(),
        batch.rows() == 1 ? "" : "es",
        djl.length,
        djl[djl.length / 2],
        ort[ort.length / 2]);
  }
}
