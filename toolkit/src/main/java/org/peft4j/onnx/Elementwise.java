package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.types.DataType;
import java.util.Map;

/** Emitters of what works element by element. */
final class Elementwise {
  private static final Map<String, String> OF_BOOLEANS =
      Map.of("Add", "Or", "Mul", "And", "Max", "Or", "Min", "And");

  private Elementwise() {}

  /** ONNX does not promote types: both operands are cast to the result's. */
  static Emitter arithmetic(String operator) {
    return call -> {
      DataType type = call.result().getDataType();
      String op = type == DataType.BOOLEAN ? OF_BOOLEANS.get(operator) : operator;
      if (op == null) {
        throw call.unsupported("booleans have no " + operator);
      }
      return call.one(op, Map.of(), call.trace().cast(call.self(), type), call.operand(0, type));
    };
  }

  static Emitter unary(String operator) {
    return call ->
        call.one(operator, Map.of(), call.trace().cast(call.self(), call.result().getDataType()));
  }

  static Emitter test(String operator) {
    return call ->
        call.one(operator, Map.of(), call.trace().cast(call.self(), floating(call.self().type)));
  }

  private static DataType floating(DataType type) {
    return type.isFloating() ? type : DataType.FLOAT32;
  }

  static Emitter rounding(String operator) {
    return call ->
        call.self().type.isFloating()
            ? call.one(operator, Map.of(), call.self())
            : call.array().duplicate();
  }

  static Emitter comparison(String operator) {
    return call -> compare(operator, call);
  }

  private static NDArray compare(String operator, Call call) {
    Value self = call.self();
    DataType type;
    if (call.isArray(0)) {
      Value other = call.operand(0);
      type = Types.promote(self.type, self.scalar(), other.type, other.scalar());
    } else {
      type =
          Types.promote(self.type, self.scalar(), Types.of(call.argument(0, Number.class)), true);
    }
    return call.one(operator, Map.of(), call.trace().cast(self, type), call.operand(0, type));
  }

  static NDArray notEqual(Call call) {
    Object other = call.argument(0);
    return (other instanceof NDArray a ? call.array().eq(a) : call.array().eq((Number) other))
        .logicalNot();
  }

  static Emitter logical(String operator) {
    return call ->
        call.one(
            operator,
            Map.of(),
            call.trace().cast(call.self(), DataType.BOOLEAN),
            call.operand(0, DataType.BOOLEAN));
  }

  static NDArray not(Call call) {
    return call.one("Not", Map.of(), call.trace().cast(call.self(), DataType.BOOLEAN));
  }

  static NDArray square(Call call) {
    Value x = call.trace().cast(call.self(), call.result().getDataType());
    return call.one("Mul", Map.of(), x, x);
  }

  /** The remainder has the divisor's sign; ONNX's for floats has the dividend's. */
  static NDArray remainder(Call call) {
    DataType type = call.result().getDataType();
    Trace trace = call.trace();
    if (!type.isFloating()) {
      return call.one(
          "Mod", Map.of("fmod", 0L), trace.cast(call.self(), type), call.operand(0, type));
    }
    NDArray x = call.array().toType(type, false);
    NDArray y =
        call.isArray(0) ? call.array(0) : trace.recorder().create(call.argument(0, Number.class));
    NDArray divisor = y.toType(type, false);
    NDArray m =
        trace.array(
            trace.node(
                "Mod", Map.of("fmod", 1L), call.result(), trace.value(x), trace.value(divisor)));
    NDArray turn = m.neq(0).logicalAnd(m.lt(0).logicalXor(divisor.lt(0)));
    return call.one(
        "Where", Map.of(), trace.value(turn), trace.value(m.add(divisor)), trace.value(m));
  }

  static NDArray xlogy(Call call) {
    DataType type = call.result().getDataType();
    NDArray x = call.array().toType(type, false);
    NDArray product = call.array(0).toType(type, false).log().mul(x);
    Trace trace = call.trace();
    return call.one(
        "Where", Map.of(), trace.value(x.eq(0)), trace.number(0, type), trace.value(product));
  }

  static NDArray clip(Call call) {
    DataType type = call.result().getDataType();
    return call.one(
        "Clip",
        Map.of(),
        call.trace().cast(call.self(), type),
        call.operand(0, type),
        call.operand(1, type));
  }

  static NDArray toType(Call call) {
    DataType type = call.argument(0, DataType.class);
    if (type == call.self().type) {
      return call.argument(1, Boolean.class) ? call.array().duplicate() : call.array();
    }
    return call.trace().array(call.trace().cast(call.self(), type));
  }

  /** {@code number - x} or {@code array - x}. */
  static NDArray subtractedFrom(Call call) {
    DataType type = call.result().getDataType();
    return call.one("Sub", Map.of(), call.operand(0, type), call.trace().cast(call.self(), type));
  }

  static NDArray where(Call call) {
    DataType type = call.result().getDataType();
    DataType computed =
        switch (type) {
          case BOOLEAN -> DataType.UINT8;
          case INT8, INT16 -> DataType.INT32;
          default -> type;
        };
    Trace trace = call.trace();
    NDArray real =
        computed == type ? call.result() : trace.own(() -> call.result().toType(computed, true));
    Value chosen =
        trace.node(
            "Where",
            Map.of(),
            real,
            call.operand(0, DataType.BOOLEAN),
            trace.cast(call.self(), computed),
            call.operand(1, computed));
    return trace.array(trace.cast(chosen, type));
  }

  static Emitter sloped(String operator) {
    return call -> call.one(operator, Map.of("alpha", call.argument(0, Float.class)), call.self());
  }

  /**
   * In float64, x sigmoid(x) would be fused to what ONNX Runtime has no kernel for: hidden from it.
   */
  static NDArray sigmoid(Call call) {
    NDArray x = call.array();
    return x.getDataType() == DataType.FLOAT64
        ? NDArrays.div(1.0, x.neg().exp().add(1.0))
        : call.one(
            "Sigmoid", Map.of(), call.trace().cast(call.self(), call.result().getDataType()));
  }

  /** {@code x * sigmoid(beta x)}. */
  static NDArray swish(Call call) {
    float beta = call.argument(0, Float.class);
    NDArray x = call.array();
    return x.mul((beta == 1 ? x : x.mul(beta)).getNDArrayInternal().sigmoid());
  }

  static Emitter softmax(String operator) {
    return call -> call.one(operator, Map.of("axis", (long) call.axis(0)), call.self());
  }
}
