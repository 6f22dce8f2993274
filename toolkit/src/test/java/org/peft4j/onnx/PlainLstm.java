package org.peft4j.onnx;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDArrays;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.AbstractBlock;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.training.ParameterStore;
import ai.djl.util.PairList;
import java.util.List;

/**
 * What an LSTM computes, of array operations: {@code i, f, o = sigmoid, g = tanh of W x + b + U h +
 * d; c' = f c + i g; h' = o tanh(c')}. The layer that PyTorch 2.7 calls (oneDNN) gives wrong
 * numbers on some processors with AVX-512, so that the engine itself cannot be the oracle.
 */
final class PlainLstm {
  private PlainLstm() {}

  /**
   * Output and last states.
   *
   * @param parameters per layer and direction: W, U, b, d, gates in the order i f g o
   */
  static NDList of(
      NDArray x,
      NDArray h,
      NDArray c,
      List<NDArray> parameters,
      int layers,
      boolean both,
      boolean batchFirst) {
    NDArray in = batchFirst ? x.transpose(1, 0, 2) : x;
    NDList lastH = new NDList();
    NDList lastC = new NDList();
    int directions = both ? 2 : 1;
    for (int layer = 0; layer < layers; layer++) {
      NDList outputs = new NDList();
      for (int d = 0; d < directions; d++) {
        int at = layer * directions + d;
        outputs.add(
            run(
                in,
                new NDList(h.get(at), c.get(at)),
                parameters.subList(4 * at, 4 * at + 4),
                d == 1,
                lastH,
                lastC));
      }
      in = both ? NDArrays.concat(outputs, 2) : outputs.get(0);
    }
    NDArray y = batchFirst ? in.transpose(1, 0, 2) : in;
    return new NDList(y, NDArrays.stack(lastH), NDArrays.stack(lastC));
  }

  private static NDArray run(
      NDArray x, NDList state, List<NDArray> p, boolean back, NDList lastH, NDList lastC) {
    int length = (int) x.getShape().get(0);
    NDArray[] outputs = new NDArray[length];
    NDArray h = state.get(0);
    NDArray c = state.get(1);
    for (int i = 0; i < length; i++) {
      int t = back ? length - 1 - i : i;
      NDArray gates =
          x.get(t)
              .matMul(p.get(0).transpose())
              .add(p.get(2))
              .add(h.matMul(p.get(1).transpose()).add(p.get(3)));
      NDList parts = gates.split(4, 1);
      NDArray forget = Activation.sigmoid(parts.get(1));
      c = forget.mul(c).add(Activation.sigmoid(parts.get(0)).mul(parts.get(2).tanh()));
      h = Activation.sigmoid(parts.get(3)).mul(c.tanh());
      outputs[t] = h;
    }
    lastH.add(h);
    lastC.add(c);
    return NDArrays.stack(new NDList(outputs));
  }

  /** Around a one-way LSTM block: the block itself where it is traced, the definition elsewhere. */
  static final class Oracle extends AbstractBlock {
    private final Block lstm;
    private final int layers;

    Oracle(Block lstm, int layers) {
      super((byte) 1);
      this.lstm = addChildBlock("lstm", lstm);
      this.layers = layers;
    }

    @Override
    protected NDList forwardInternal(
        ParameterStore store, NDList in, boolean training, PairList<String, Object> params) {
      if (!(in.get(0) instanceof PtNDArray)) {
        return lstm.forward(store, in, training, params);
      }
      List<NDArray> parameters =
          lstm.getParameters().values().stream()
              .map(p -> store.getValue(p, in.get(0).getDevice(), training))
              .toList();
      return of(in.get(0), in.get(1), in.get(2), parameters, layers, false, true);
    }

    @Override
    protected void initializeChildBlocks(NDManager manager, DataType type, Shape... shapes) {
      lstm.initialize(manager, type, shapes);
    }

    @Override
    public Shape[] getOutputShapes(Shape[] shapes) {
      return lstm.getOutputShapes(shapes);
    }
  }
}
