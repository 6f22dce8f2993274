package org.peft4j.onnx;

import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * An input or output of a graph.
 *
 * @param dims each a number, a name or expression of names, or empty where nothing is known
 */
public record GraphValue(String name, DataType type, List<String> dims) {
  public GraphValue {
    dims = List.copyOf(dims);
  }

  /**
   * Why a tensor cannot be given for it, or null.
   *
   * @param sizes named dimensions met so far, with where they were met; those met here are added
   */
  @Nullable String misfit(DataType found, Shape shape, Map<String, String> sizes) {
    String wrong =
        "\""
            + name
            + "\" is "
            + Types.text(found)
            + " "
            + shape
            + ", expected "
            + Types.text(type)
            + dims;
    if (found != type || shape.dimension() != dims.size()) {
      return wrong;
    }
    for (int i = 0; i < dims.size(); i++) {
      String dim = dims.get(i);
      long size = shape.get(i);
      boolean fixed = dim.matches("\\d+");
      if (fixed && Long.parseLong(dim) != size) {
        return wrong;
      }
      String known =
          fixed || dim.isEmpty() ? null : sizes.putIfAbsent(dim, size + " in \"" + name + "\"");
      if (known != null && !known.startsWith(size + " ")) {
        return "\""
            + dim
            + "\" is "
            + known
            + " but "
            + size
            + " in \""
            + name
            + "\", "
            + Arrays.toString(shape.getShape());
      }
    }
    return null;
  }

  @Override
  public String toString() {
    return name + " " + Types.text(type) + dims;
  }
}
