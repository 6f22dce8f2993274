package org.peft4j;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import ai.djl.training.ParameterStore;
import org.peft4j.tensor.Torch;

/** What models of text give, and how far two of it lie apart. */
public final class Outputs {
  private Outputs() {}

  /** The first output for texts of the same length. */
  public static NDArray of(Block model, NDManager manager, long[]... texts) {
    NDArray ids = manager.create(texts);
    return of(model, new NDList(ids, ids.onesLike(), ids.zerosLike()));
  }

  /** The first output for such inputs. */
  static NDArray of(Block model, NDList in) {
    return Torch.inference(
        () -> model.forward(new ParameterStore(in.getManager(), false), in, false).get(0));
  }

  /** The largest absolute difference. */
  public static float distance(NDArray a, NDArray b) {
    return a.sub(b).abs().max().getFloat();
  }
}
