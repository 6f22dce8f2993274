package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.recurrent.RNN;
import ai.djl.pytorch.engine.PtNDArray;
import org.peft4j.tensor.Seed;

/** Recurrent layers of 3 inputs and 4 units. */
final class RecurrentCases extends OperatorCases {
  private static final int IN = 3;
  private static final long UNITS = 4;

  @Override
  void add() {
    for (int layers : new int[] {1, 2}) {
      for (boolean both : new boolean[] {false, true}) {
        for (boolean batchFirst : new boolean[] {false, true}) {
          String title =
              layers
                  + " layers, "
                  + (both ? "both ways" : "forward")
                  + (batchFirst ? ", batch first" : "");
          Input x = batchFirst ? Input.floats("x", "n", 5, IN) : Input.floats("x", 5, "n", IN);
          Input h = Input.floats("h", layers * (both ? 2 : 1), "n", UNITS);
          Input c = Input.floats("c", layers * (both ? 2 : 1), "n", UNITS);
          lists(
              "NDArrayEx.lstm",
              title,
              a -> lstm(a, parameters(a, 4, layers, both, true), layers, both, batchFirst),
              x,
              h,
              c);
          lists(
              "NDArrayEx.gru",
              title,
              a ->
                  a.get(0)
                      .getNDArrayInternal()
                      .gru(
                          a.get(0),
                          a.get(1),
                          parameters(a, 3, layers, both, true),
                          true,
                          layers,
                          0,
                          false,
                          both,
                          batchFirst),
              x,
              h);
          lists(
              "NDArrayEx.rnn",
              title,
              a ->
                  a.get(0)
                      .getNDArrayInternal()
                      .rnn(
                          a.get(0),
                          a.get(1),
                          parameters(a, 1, layers, both, batchFirst),
                          batchFirst,
                          layers,
                          both ? RNN.Activation.TANH : RNN.Activation.RELU,
                          0,
                          false,
                          both,
                          batchFirst),
              x,
              h);
        }
      }
    }
  }

  private static NDList lstm(
      NDList a, NDList parameters, int layers, boolean both, boolean batchFirst) {
    if (a.get(0) instanceof PtNDArray) {
      return PlainLstm.of(a.get(0), a.get(1), a.get(2), parameters, layers, both, batchFirst);
    }
    NDList states = new NDList(a.get(1), a.get(2));
    return a.get(0)
        .getNDArrayInternal()
        .lstm(a.get(0), states, parameters, true, layers, 0, false, both, batchFirst);
  }

  private static NDList parameters(NDList a, int gates, int layers, boolean both, boolean biases) {
    NDList list = new NDList();
    for (int layer = 0; layer < layers; layer++) {
      for (int d = 0; d < (both ? 2 : 1); d++) {
        long in = layer == 0 ? IN : UNITS * (both ? 2 : 1);
        Seed seed = Seed.of(3).at(layer).at(d);
        list.add(array(a, seed.at(0), gates * UNITS, in));
        list.add(array(a, seed.at(1), gates * UNITS, UNITS));
        if (biases) {
          list.add(array(a, seed.at(2), gates * UNITS));
          list.add(array(a, seed.at(3), gates * UNITS));
        }
      }
    }
    return list;
  }

  private static NDArray array(NDList a, Seed seed, long... shape) {
    NDArray x = seed.normal(a.get(0).getManager(), new Shape(shape), 0.5);
    return x.toType(DataType.FLOAT32, false);
  }
}
