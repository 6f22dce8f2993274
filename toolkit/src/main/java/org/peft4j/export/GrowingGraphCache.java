package org.peft4j.export;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
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
   * An empty cache.
   *
   * @param names of the graph's inputs of keys and values
   */
  GrowingGraphCache(List<String> names, long rows, long heads, long size) throws OrtException {
    this.names = names;
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
      past.put(
          name, (OnnxTensor) result.get(CacheNames.present(name)).orElseThrow());
    }
    owner = result;
  }

  @Override
  public void select(long[] rows) throws OrtException {
    Map<String, OnnxTensor> chosen = new HashMap<>();
    for (Map.Entry<String, OnnxTensor> e : past.entrySet()) {
      long[] shape = e.getValue().getInfo().getShape();
      FloatBuffer all = e.getValue().getFloatBuffer();
      int block = (int) (shape[1] * shape[2] * shape[3]);
      chosen.put(
          e.getKey(),
          Tensors.of(Tensors.rows(all, rows, block), rows.length, shape[1], shape[2], shape[3]));
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
