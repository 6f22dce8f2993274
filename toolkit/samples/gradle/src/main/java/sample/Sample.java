package sample;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.core.Linear;
import ai.djl.training.ParameterStore;
import java.nio.file.Files;
import org.peft4j.Onnx;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.onnx.Input;
import org.peft4j.tensor.Torch;

/** A program that uses peft4j as a library: LoRA on a network of its own, merged and exported. */
public class Sample {
  public static void main(String[] args) throws Exception {
    try (NDManager manager = Torch.newManager()) {
      SequentialBlock net = new SequentialBlock();
      net.add(Linear.builder().setUnits(16).build());
      net.add(Activation.reluBlock());
      net.add(Linear.builder().setUnits(3).build());
      net.initialize(manager, DataType.FLOAT32, new Shape(1, 4));

      System.out.println(Peft.lora(net).rank(4));
      try (Tuned tuned = Peft.lora(net).rank(4).apply()) {
        NDArray x = manager.ones(new Shape(2, 4));
        NDArray y = tuned.forward(new ParameterStore(manager, false), new NDList(x), false).get(0);
        System.out.println("output " + y.getShape());
        var file = Files.createTempDirectory("sample").resolve("net.onnx");
        System.out.println(Onnx.export(tuned, file, Input.floats("x", "batch", 4)).validate());
      }
    }
  }
}
