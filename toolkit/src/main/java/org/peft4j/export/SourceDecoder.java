package org.peft4j.export;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.peft4j.generate.Decoder;
import org.peft4j.model.Inputs;
import org.peft4j.onnx.AdaptedSession;
import org.peft4j.onnx.GraphValue;
import org.peft4j.onnx.OnnxSession;

/** Answers written by the three graphs of a model with an encoder. */
final class SourceDecoder implements Decoder {
  /**
   * The three graphs.
   *
   * @param encoder reads what is to be answered
   * @param first reads an answer's first token
   * @param next reads those after it
   */
  record Graphs(AdaptedSession encoder, AdaptedSession first, AdaptedSession next) {
    List<String> names(String side) {
      return next.session().inputs().stream()
          .map(GraphValue::name)
          .filter(n -> n.contains("." + side + "."))
          .toList();
    }
  }

  private final Graphs graphs;
  private final long[][] sources;
  private final long start;
  private final GrowingGraphCache own;
  private final Map<String, OnnxTensor> across = new LinkedHashMap<>();
  private long[][] mask;

  /**
   * Texts that answer {@code sources}.
   *
   * @param start the token that the decoder begins with
   */
  SourceDecoder(Graphs graphs, long[][] sources, long pad, long start) {
    this.graphs = graphs;
    this.start = start;
    own = new GrowingGraphCache(graphs.names("decoder"));
    int longest = Arrays.stream(sources).mapToInt(p -> p.length).max().orElse(0);
    this.sources = new long[sources.length][];
    mask = new long[sources.length][longest];
    for (int r = 0; r < sources.length; r++) {
      this.sources[r] = Arrays.copyOf(sources[r], longest);
      Arrays.fill(this.sources[r], sources[r].length, longest, pad);
      Arrays.fill(mask[r], 0, sources[r].length, 1);
    }
  }

  @Override
  public float[][] begin() {
    long[][] begin = new long[sources.length][1];
    Arrays.stream(begin).forEach(row -> row[0] = start);
    try (OnnxTensor padding = Tensors.of(mask);
        OnnxTensor source = Tensors.of(sources);
        OnnxTensor ids = Tensors.of(begin);
        OrtSession.Result encoded =
            run(graphs.encoder, Map.of("input_ids", source, "attention_mask", padding))) {
      Map<String, OnnxTensor> in = new HashMap<>();
      in.put("encoder_attention_mask", padding);
      in.put("input_ids", ids);
      in.put(Inputs.ENCODED, (OnnxTensor) encoded.get(0));
      OrtSession.Result result = run(graphs.first, in);
      long[] all = LongStream.range(0, sources.length).toArray();
      for (String name : graphs.names("encoder")) {
        OnnxTensor made = (OnnxTensor) result.get(CacheNames.present(name)).orElseThrow();
        across.put(name, Tensors.rows(made, all)); // the result lives for one step only
      }
      own.ran(result);
      return scores(result);
    } catch (OrtException e) {
      throw failed(e);
    }
  }

  @Override
  public float[][] read(long[][] tokens) {
    try (OnnxTensor padding = Tensors.of(mask);
        OnnxTensor ids = Tensors.of(tokens)) {
      Map<String, OnnxTensor> in = new HashMap<>(across);
      in.putAll(own.past(0));
      in.put("encoder_attention_mask", padding);
      in.put("input_ids", ids);
      OrtSession.Result result = run(graphs.next, in);
      float[][] scores = scores(result);
      own.ran(result);
      return scores;
    } catch (OrtException e) {
      throw failed(e);
    }
  }

  /** Gives a graph those inputs that it asks for. */
  private static OrtSession.Result run(AdaptedSession graph, Map<String, OnnxTensor> all)
      throws OrtException {
    OnnxSession session = graph.session();
    Map<String, OnnxTensor> asked = new HashMap<>(all);
    asked.keySet().retainAll(session.inputs().stream().map(GraphValue::name).toList());
    try (OrtSession.RunOptions options = graph.options()) {
      return session.runtime().run(asked, options);
    }
  }

  private static float[][] scores(OrtSession.Result result) {
    return Tensors.lastRows((OnnxTensor) result.get("logits").orElseThrow());
  }

  @Override
  public void select(long[] chosen) {
    long[][] before = mask;
    mask = Arrays.stream(chosen).mapToObj(r -> before[(int) r].clone()).toArray(long[][]::new);
    try {
      own.select(chosen);
      for (Map.Entry<String, OnnxTensor> e : across.entrySet()) {
        try (OnnxTensor old = e.getValue()) {
          e.setValue(Tensors.rows(old, chosen));
        }
      }
    } catch (OrtException e) {
      throw failed(e);
    }
  }

  private IllegalStateException failed(OrtException e) {
    return new IllegalStateException(
        "ONNX Runtime failed to run " + graphs.next + "\nfound: " + e.getMessage(), e);
  }

  @Override
  public void close() {
    own.close();
    across.values().forEach(OnnxTensor::close);
  }
}
