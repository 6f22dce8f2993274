package org.peft4j.onnx;

import ai.djl.ndarray.types.DataType;
import java.util.HashMap;
import java.util.Map;

/**
 * What ONNX Runtime 1.29 lacks on the CPU: operators without a kernel for a type that PyTorch has
 * one for. Such a node is computed in another type, between two casts; in float32 for float64, so
 * such a graph is not exact to float64.
 */
final class Kernels {
  private static final Map<String, Map<DataType, DataType>> DETOURS = new HashMap<>();

  static {
    for (String op : "Tan Asin Acos Atan Sinh Cosh Erf Conv AveragePool LpPool".split(" ")) {
      detour(op, DataType.FLOAT64, DataType.FLOAT32);
    }
    for (String op : "Softplus Softsign LeakyRelu Elu Selu Gelu".split(" ")) {
      detour(op, DataType.FLOAT64, DataType.FLOAT32);
    }
    for (String op : "Max Min Clip ArgMax ArgMin ReduceMax ReduceMin Relu".split(" ")) {
      detour(op, DataType.INT16, DataType.INT32);
    }
    for (String op : "ReduceMax ReduceMin TopK".split(" ")) {
      detour(op, DataType.BOOLEAN, DataType.UINT8);
    }
    for (String op : "Pow MatMul CumSum".split(" ")) {
      detour(op, DataType.INT8, DataType.INT32);
      detour(op, DataType.UINT8, DataType.INT32);
      detour(op, DataType.INT16, DataType.INT32);
    }
    for (String op : "Greater GreaterOrEqual Less LessOrEqual".split(" ")) {
      detour(op, DataType.BOOLEAN, DataType.UINT8);
    }
    detour("Relu", DataType.INT64, DataType.FLOAT64);
    detour("Relu", DataType.UINT8, DataType.INT32);
    detour("Pad", DataType.INT16, DataType.INT32);
  }

  private Kernels() {}

  private static void detour(String operator, DataType type, DataType by) {
    DETOURS.computeIfAbsent(operator, k -> new HashMap<>()).put(type, by);
  }

  /** The type to compute in: the same, unless there is no kernel for it. */
  static DataType detour(String operator, DataType type) {
    return DETOURS.getOrDefault(operator, Map.of()).getOrDefault(type, type);
  }
}
