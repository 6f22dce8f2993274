package org.peft4j.export;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a run gives is what the next one reads, without a copy on the way. */
final class GrowingGraphCache implements GraphCache {
  private final List<String> names;
  private final Map<String, OnnxTensor> past = new LinkedHashMap<>();
  private OrtSession.@Nullable Result owner;

  /**
   * A cache that a first run is to fill.
   *
   * @param names of the graph's inputs of keys and values
   */
  GrowingGraphCache(List<String> names) {
    this.names = names;
  }

  /** An empty cache. */
  GrowingGraphCache(List<String> names, long rows, long heads, long size) throws OrtException {
    this(names);
    for (String name : names) {
      past.put(name, Tensors.of(Tensors.floats(0), rows, heads, 0, size));
    }
  }

  @Override
  public Map<String, OnnxTensor> past(long total) {
    return past;
  }

  @Override
  public Map<String, OnnxTensor> present() {
    return Map.of();
  }

  @Override
  public void ran(OrtSession.Result result) {
    free();
    for (String name : names) {
      past.put(name, (OnnxTensor) result.get(CacheNames.present(name)).orElseThrow());
    }
    owner = result;
  }

  @Override
  public void select(long[] rows) throws OrtException {
    Map<String, OnnxTensor> chosen = new HashMap<>();
    for (Map.Entry<String, OnnxTensor> e : past.entrySet()) {
      chosen.put(e.getKey(), Tensors.rows(e.getValue(), rows));
    }
    free();
    past.putAll(chosen);
  }

  private void free() {
    if (owner != null) {
      owner.close();
      owner = null;
    } else {
      past.values().forEach(OnnxTensor::close);
    }
  }

  @Override
  public void close() {
    free();
  }
}
