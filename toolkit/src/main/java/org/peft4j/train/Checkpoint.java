package org.peft4j.train;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;
import org.peft4j.format.Safetensors;
import org.peft4j.format.TensorSource;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;

/**
 * The whole state of a run in one safetensors file, replaced as a whole: weights of the active
 * adapters, the methods' own state, the optimizer's moments, the best weights so far, and the
 * history in the header. Randomness needs no state: it follows from seed and step.
 */
final class Checkpoint {
  private static final String HEADER = "peft4j.run";

  private Checkpoint() {}

  /** What a run knows beside weights and moments. */
  record State(
      long step,
      List<RunListener.Step> steps,
      List<RunListener.Evaluation> evaluations,
      Map<String, NDArray> best,
      long bestStep,
      int withoutImprovement,
      double seconds) {}

  static void write(Loop loop, AdamW optimizer, long step) {
    State s = loop.state(step);
    Map<String, NDArray> tensors = new LinkedHashMap<>();
    loop.model().state().forEach((n, p) -> tensors.put("weight:" + n, p.getArray()));
    optimizer.state().forEach(tensors::put);
    s.best.forEach((n, a) -> tensors.put("best:" + n, a));
    Map<String, @Nullable Object> header = new LinkedHashMap<>(identity(loop));
    header.put("step", s.step);
    header.put("bestStep", s.bestStep);
    header.put("withoutImprovement", (long) s.withoutImprovement);
    header.put("seconds", s.seconds);
    header.put("updates", optimizer.updates());
    header.put("steps", s.steps.stream().map(Checkpoint::numbers).toList());
    header.put("evaluations", s.evaluations.stream().map(Checkpoint::entry).toList());
    Path file = Objects.requireNonNull(loop.settings().checkpoint());
    try {
      Safetensors.write(file, tensors, Map.of(HEADER, Json.line(header)));
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot write the checkpoint: " + e.getMessage(), e);
    }
  }

  /** What must be the same for a run to go on: other settings would make another run of it. */
  private static Map<String, @Nullable Object> identity(Loop loop) {
    Settings s = loop.settings();
    Map<String, @Nullable Object> id = new LinkedHashMap<>();
    id.put("total", loop.total());
    id.put("rows", (long) loop.rows());
    id.put("batchSize", (long) s.batchSize());
    id.put("accumulate", (long) s.accumulate());
    id.put("learningRate", s.learningRate());
    id.put("schedule", s.schedule().name());
    id.put("warmup", s.warmup());
    id.put("weightDecay", s.weightDecay());
    id.put("clip", s.clip());
    id.put("seed", s.seed());
    return id;
  }

  static State read(Loop loop, AdamW optimizer, NDManager owner) {
    Path file = Objects.requireNonNull(loop.settings().checkpoint());
    try (Scope scope = Scope.open();
        NDManager temporary = owner.newSubManager();
        TensorSource source = Safetensors.open(file)) {
      String text = Safetensors.metadata(file).get(HEADER);
      if (text == null) {
        throw new IllegalArgumentException(
            file + ": not a checkpoint of a training run\nfix: delete it, or choose another file");
      }
      Map<String, @Nullable Object> header = map(Json.parse(text, file.toString()));
      List<String> different = new ArrayList<>();
      identity(loop)
          .forEach(
              (k, now) -> {
                if (!String.valueOf(now).equals(String.valueOf(header.get(k)))) {
                  different.add(k + ": the checkpoint has " + header.get(k) + ", this run " + now);
                }
              });
      Map<String, Parameter> weights = loop.model().state();
      weights.forEach(
          (n, p) -> {
            if (!source.names().contains("weight:" + n)) {
              different.add("the checkpoint has no " + n);
            } else if (!source.info("weight:" + n).shape().equals(p.getShape())) {
              different.add(
                  n
                      + ": the checkpoint has "
                      + source.info("weight:" + n).shape()
                      + ", this run "
                      + p.getShape());
            }
          });
      if (!different.isEmpty()) {
        throw new IllegalArgumentException(
            file
                + ": belongs to another run\n"
                + String.join("\n", different)
                + "\nfix: use the same settings, or another checkpoint file");
      }
      Map<String, NDArray> moments = new LinkedHashMap<>();
      Map<String, NDArray> best = new LinkedHashMap<>();
      Torch.inference(
          () -> {
            for (String n : source.names()) {
              NDArray value = source.load(n, temporary);
              if (n.startsWith("weight:")) {
                Buffers.copy(value, Objects.requireNonNull(weights.get(n.substring(7))).getArray());
              } else if (n.startsWith("best:")) {
                best.put(n.substring(5), Scope.giveTo(owner, Buffers.copyOf(owner, value)));
              } else {
                moments.put(n, value);
              }
            }
            optimizer.restore(moments, number(header.get("updates")).longValue());
            return source;
          });
      return new State(
          number(header.get("step")).longValue(),
          list(header.get("steps")).stream().map(Checkpoint::step).toList(),
          list(header.get("evaluations")).stream().map(Checkpoint::evaluation).toList(),
          best,
          number(header.get("bestStep")).longValue(),
          number(header.get("withoutImprovement")).intValue(),
          number(header.get("seconds")).doubleValue());
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot read the checkpoint: " + e.getMessage(), e);
    }
  }

  private static List<Object> numbers(RunListener.Step s) {
    return List.of(
        s.step(), s.total(), s.epoch(), s.loss(), s.learningRate(), s.gradientNorm(), s.seconds());
  }

  private static RunListener.Step step(@Nullable Object o) {
    List<? extends @Nullable Object> n = list(o);
    return new RunListener.Step(
        number(n.get(0)).longValue(),
        number(n.get(1)).longValue(),
        number(n.get(2)).doubleValue(),
        number(n.get(3)).doubleValue(),
        number(n.get(4)).doubleValue(),
        number(n.get(5)).doubleValue(),
        number(n.get(6)).doubleValue());
  }

  private static Map<String, Object> entry(RunListener.Evaluation e) {
    Map<String, Object> out = new LinkedHashMap<>();
    out.put("step", e.step());
    out.put("epoch", e.epoch());
    out.put("rows", (long) e.metrics().rows());
    out.put("higherIsBetter", e.metrics().higherIsBetter());
    out.put("values", e.metrics().values());
    return out;
  }

  private static RunListener.Evaluation evaluation(@Nullable Object o) {
    Map<String, @Nullable Object> m = map(o);
    Map<String, Double> values = new LinkedHashMap<>();
    map(m.get("values")).forEach((k, v) -> values.put(k, number(v).doubleValue()));
    Metrics metrics =
        new Metrics(
            values, number(m.get("rows")).intValue(), Boolean.TRUE.equals(m.get("higherIsBetter")));
    return new RunListener.Evaluation(
        number(m.get("step")).longValue(), number(m.get("epoch")).doubleValue(), metrics);
  }

  private static Number number(@Nullable Object o) {
    if (o instanceof Number n) {
      return n;
    }
    throw new IllegalArgumentException(
        "the checkpoint's header is damaged: expected a number, found " + o);
  }

  private static List<? extends @Nullable Object> list(@Nullable Object o) {
    if (o instanceof List<?> l) {
      return l;
    }
    throw new IllegalArgumentException(
        "the checkpoint's header is damaged: expected a list, found " + o);
  }

  private static Map<String, @Nullable Object> map(@Nullable Object o) {
    if (o instanceof Map<?, ?> m) {
      Map<String, @Nullable Object> out = new LinkedHashMap<>();
      m.forEach((k, v) -> out.put(String.valueOf(k), v));
      return out;
    }
    throw new IllegalArgumentException(
        "the checkpoint's header is damaged: expected an object, found " + o);
  }
}
