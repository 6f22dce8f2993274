package org.peft4j.export;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.peft4j.generate.Decoder;
import org.peft4j.onnx.AdaptedSession;
import org.peft4j.onnx.GraphValue;
import org.peft4j.onnx.OnnxSession;

/** Texts written by a causal graph with a cache; shorter prompts are padded on the left. */
final class GraphDecoder implements Decoder {
  private final OnnxSession session;
  private final AdaptedSession adapted;
  private final Set<String> asked = new HashSet<>();
  private final Map<String, OnnxTensor> in = new HashMap<>();
  private final Map<String, OnnxTensor> pinned = new HashMap<>();
  private final Set<String> wanted = new HashSet<>();
  private final List<String> pastNames;
  private final GraphCache cache;
  private final long[][] first;
  private long[][] mask;
  private @Nullable OnnxTensor scores;
  private @Nullable FloatBuffer scoresMemory;
  private int vocabulary;

  /**
   * Texts that continue {@code prompts}.
   *
   * @param shared whether the graph takes one buffer as past and present
   */
  GraphDecoder(AdaptedSession adapted, boolean shared, long[][] prompts, long pad) {
    this.adapted = adapted;
    this.session = adapted.session();
    session.inputs().forEach(i -> asked.add(i.name()));
    session.outputs().forEach(o -> wanted.add(o.name()));
    List<GraphValue> past =
        session.inputs().stream().filter(i -> i.name().startsWith("past_key_values.")).toList();
    if (past.isEmpty()) {
      throw new IllegalArgumentException(
          session
              + "\nexpected: inputs past_key_values.*\nfound: none"
              + "\nfix: export the language model with its cache, which is the default");
    }
    pastNames = past.stream().map(GraphValue::name).toList();
    int heads = Integer.parseInt(past.get(0).dims().get(1));
    int size = Integer.parseInt(past.get(0).dims().get(3));
    int longest = Arrays.stream(prompts).mapToInt(p -> p.length).max().orElse(0);
    first = new long[prompts.length][longest];
    mask = new long[prompts.length][longest];
    for (int r = 0; r < prompts.length; r++) {
      int gap = longest - prompts[r].length;
      Arrays.fill(first[r], 0, gap, pad);
      System.arraycopy(prompts[r], 0, first[r], gap, prompts[r].length);
      Arrays.fill(mask[r], gap, longest, 1);
    }
    try {
      cache =
          shared
              ? new SharedGraphCache(pastNames, prompts.length, heads, size)
              : new GrowingGraphCache(pastNames, prompts.length, heads, size);
    } catch (OrtException e) {
      throw failed(e);
    }
  }

  @Override
  public float[][] begin() {
    return run(first);
  }

  @Override
  public float[][] read(long[][] ids) {
    for (int r = 0; r < mask.length; r++) {
      int from = mask[r].length;
      mask[r] = Arrays.copyOf(mask[r], from + ids[r].length);
      Arrays.fill(mask[r], from, mask[r].length, 1);
    }
    return run(ids);
  }

  private float[][] run(long[][] ids) {
    Map<String, OnnxTensor> own = new HashMap<>();
    try (OrtSession.RunOptions options = adapted.options()) {
      own.put("input_ids", Tensors.of(ids));
      if (asked.contains("attention_mask")) {
        own.put("attention_mask", Tensors.of(mask));
      }
      if (asked.contains("position_ids")) {
        own.put("position_ids", Tensors.of(positions(ids[0].length)));
      }
      in.putAll(own);
      in.putAll(cache.past(mask[0].length));
      pinned.putAll(cache.present());
      boolean step = ids[0].length == 1 && vocabulary > 0;
      if (step) {
        pinned.put("logits", scores(ids.length));
      } else {
        pinned.remove("logits");
        wanted.add("logits");
      }
      wanted.removeAll(pinned.keySet());
      OrtSession.Result result = session.runtime().run(in, wanted, pinned, options);
      float[][] last =
          step
              ? rows(ids.length)
              : Tensors.lastRows((OnnxTensor) result.get("logits").orElseThrow());
      vocabulary = last[0].length;
      cache.ran(result);
      return last;
    } catch (OrtException e) {
      throw failed(e);
    } finally {
      own.values().forEach(OnnxTensor::close);
    }
  }

  /** Positions of the last {@code n} columns: tokens counted from each text's own start. */
  private long[][] positions(int n) {
    long[][] out = new long[mask.length][n];
    for (int r = 0; r < mask.length; r++) {
      long count = 0;
      int length = mask[r].length;
      for (int i = 0; i < length; i++) {
        count += mask[r][i];
        if (i >= length - n) {
          out[r][i - length + n] = Math.max(0, count - 1);
        }
      }
    }
    return out;
  }

  private OnnxTensor scores(int rows) throws OrtException {
    if (scores == null || scores.getInfo().getShape()[0] != rows) {
      if (scores != null) {
        scores.close();
      }
      scoresMemory = Tensors.floats((long) rows * vocabulary);
      scores = Tensors.of(scoresMemory, rows, 1, vocabulary);
    }
    return scores;
  }

  private float[][] rows(int n) {
    float[][] out = new float[n][vocabulary];
    FloatBuffer memory = java.util.Objects.requireNonNull(scoresMemory);
    for (int r = 0; r < n; r++) {
      memory.get(r * vocabulary, out[r]);
    }
    return out;
  }

  @Override
  public void select(long[] chosen) {
    long[][] before = mask;
    mask = Arrays.stream(chosen).mapToObj(r -> before[(int) r].clone()).toArray(long[][]::new);
    try {
      cache.select(chosen);
    } catch (OrtException e) {
      throw failed(e);
    }
  }

  private IllegalStateException failed(OrtException e) {
    return new IllegalStateException(
        "ONNX Runtime failed to run " + session + "\nfound: " + e.getMessage(), e);
  }

  @Override
  public void close() {
    cache.close();
    if (scores != null) {
      scores.close();
    }
  }
}
