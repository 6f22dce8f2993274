package org.peft4j.onnx;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;

/** New arrays. */
final class CreationCases extends OperatorCases {
  @Override
  void add() {
    creation();
  }

  private void creation() {
    on(
        "NDManager.create",
        "numbers of each kind",
        a -> {
          NDManager m = a.get(0).getManager();
          return a.get(0)
              .mul(m.create(2f))
              .add(m.create(new float[] {1, 2, 3}))
              .add(m.create(new float[][] {{4}, {5}}).get(1))
              .sub(m.create(new int[] {1, 2, 3}, new Shape(3)));
        },
        f32("n", 3));
    on(
        "NDManager.create",
        "a size that is open",
        a -> a.get(0).mul(a.get(0).getManager().create((float) a.get(0).getShape().get(0))),
        f32("n", 3));
    on(
        "NDManager.create",
        "views of one",
        a ->
            a.get(0)
                .add(
                    a.get(0)
                        .getManager()
                        .create(new float[] {1, 2, 3, 4, 5, 6})
                        .reshape(2, 3)
                        .get(1)),
        f32("n", 3));
    on(
        "NDManager.zeros",
        "of open size",
        a -> a.get(0).getManager().zeros(a.get(0).getShape()),
        f32("n", 3));
    on(
        "NDManager.zeros",
        "of a type",
        a -> a.get(0).getManager().zeros(new Shape(2, a.get(0).getShape().get(0)), DataType.INT64),
        f32("n", 3));
    on(
        "NDManager.ones",
        "of open size",
        a -> a.get(0).getManager().ones(a.get(0).getShape(), DataType.FLOAT64),
        f32("n", 3));
    on(
        "NDManager.ones",
        "without dimensions",
        a -> a.get(0).add(a.get(0).getManager().ones(new Shape())),
        f32("n", 3));
    on(
        "NDManager.full",
        "of open size",
        a -> a.get(0).getManager().full(a.get(0).getShape(), 2.5f),
        f32("n", 3));
    on(
        "NDManager.full",
        "of whole numbers",
        a -> a.get(0).getManager().full(new Shape(a.get(0).getShape().get(0)), 7),
        f32("n", 3));
    on(
        "NDManager.arange",
        "up to an open size",
        a -> a.get(0).getManager().arange(0, (int) a.get(0).getShape().get(0), 1, DataType.INT64),
        f32("n", 3));
    on(
        "NDManager.arange",
        "as floats, in steps",
        a ->
            a.get(0)
                .getManager()
                .arange(3, 3 + 2 * (int) a.get(0).getShape().get(0), 2, DataType.FLOAT32),
        f32("n", 3));
    on(
        "NDManager.arange",
        "fixed, by fractions",
        a -> a.get(0).add(a.get(0).getManager().arange(0f, 0.75f, 0.25f)),
        f32("n", 3));
    on(
        "NDManager.arange",
        "of one number",
        a -> a.get(0).getManager().arange((int) a.get(0).getShape().get(0)),
        f32("n", 3));
    on(
        "NDManager.eye",
        "of open size",
        a -> a.get(0).getManager().eye((int) a.get(0).getShape().get(0)),
        f32("n", 3));
    on(
        "NDManager.eye",
        "fixed",
        a -> a.get(0).matMul(a.get(0).getManager().eye(3, 4, 0)),
        f32("n", 3));
    on(
        "NDManager.linspace",
        "fixed",
        a -> a.get(0).add(a.get(0).getManager().linspace(0f, 1f, 3)),
        f32("n", 3));
    on(
        "NDManager.hanningWindow",
        "fixed",
        a -> a.get(0).mul(a.get(0).getManager().hanningWindow(3)),
        f32("n", 3));
  }
}
