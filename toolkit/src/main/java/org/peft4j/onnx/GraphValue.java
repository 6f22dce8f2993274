package org.peft4j.onnx;

import ai.djl.ndarray.types.DataType;
import java.util.List;

/**
 * An input or output of a graph.
 *
 * @param dims each a number, a name or expression of names, or empty where nothing is known
 */
public record GraphValue(String name, DataType type, List<String> dims) {
  public GraphValue {
    dims = List.copyOf(dims);
  }

  @Override
  public String toString() {
    return name + " " + Types.text(type) + dims;
  }
}
