package org.peft4j.export;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Buffers {@code [rows, heads, capacity, size]} that the graph reads and writes in place: a step
 * adds its own keys and values and copies none. They grow by doubling. Only for graphs whose
 * attention takes it ({@link Profile#ORT}).
 */
final class SharedGraphCache implements GraphCache {
  private static final int FIRST_CAPACITY = 128;

  private final List<String> names;
  private final int heads;
  private final int size;
  private int rows;
  private int capacity;
  private final Map<String, FloatBuffer> memory = new LinkedHashMap<>();
  private final Map<String, OnnxTensor> past = new LinkedHashMap<>();
  private final Map<String, OnnxTensor> present = new LinkedHashMap<>();

  /**
   * An empty cache.
   *
   * @param names of the graph's inputs of keys and values
   */
  SharedGraphCache(List<String> names, int rows, int heads, int size) {
    this.names = names;
    this.rows = rows;
    this.heads = heads;
    this.size = size;
  }

  @Override
  public Map<String, OnnxTensor> past(long total) throws OrtException {
    if (total > capacity) {
      grow((int) Math.max(Math.max(FIRST_CAPACITY, 2L * capacity), total));
    }
    return past;
  }

  private void grow(int wider) throws OrtException {
    int old = capacity;
    capacity = wider;
    for (String name : names) {
      FloatBuffer larger = Tensors.floats((long) rows * heads * capacity * size);
      FloatBuffer known = memory.get(name);
      if (known != null) {
        for (int head = 0; head < rows * heads; head++) {
          larger.put(head * capacity * size, known, head * old * size, old * size);
        }
      }
      place(name, larger);
    }
  }

  private void place(String name, FloatBuffer buffer) throws OrtException {
    OnnxTensor tensor = Tensors.of(buffer, rows, heads, capacity, size);
    OnnxTensor before = past.put(name, tensor);
    present.put(CacheNames.present(name), tensor);
    memory.put(name, buffer);
    if (before != null) {
      before.close();
    }
  }

  @Override
  public Map<String, OnnxTensor> present() {
    return present;
  }

  @Override
  public void ran(OrtSession.Result result) {
    result.close();
  }

  @Override
  public void select(long[] chosen) throws OrtException {
    rows = chosen.length;
    for (Map.Entry<String, FloatBuffer> e : Map.copyOf(memory).entrySet()) {
      place(e.getKey(), Tensors.rows(e.getValue(), chosen, heads * capacity * size));
    }
  }

  @Override
  public void close() {
    past.values().forEach(OnnxTensor::close);
  }
}
