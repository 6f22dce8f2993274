package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import ai.djl.nn.Parameter;

/** DJL parameters of arrays that are there already. */
public final class Parameters {
  private Parameters() {}

  /** A parameter around an array that has its owner. */
  public static Parameter of(String name, Parameter.Type type, NDArray array, boolean trained) {
    Parameter p =
        Parameter.builder()
            .setName(name)
            .setType(type)
            .optShape(array.getShape())
            .optInitializer((m, s, t) -> array)
            .optRequiresGrad(trained)
            .build();
    p.initialize(array.getManager(), array.getDataType());
    return p;
  }
}
