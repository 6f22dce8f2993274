package org.peft4j.onnx;

import java.util.List;

/**
 * A place for an adapter in a graph: optional inputs that an adapter gives all of, or none. For
 * LoRA these are {@code <module>.lora_A.weight [in, r]} and {@code <module>.lora_B.weight [r,
 * out]}, of any rank; for a module that adapters replace, its weight and bias.
 *
 * @param module dotted path of the module, as Hugging Face writes it
 */
public record AdapterSlot(String module, List<GraphValue> inputs) {
  public AdapterSlot {
    inputs = List.copyOf(inputs);
  }

  /**
   * The name of the dimension that is a LoRA's rank in a module. Each has one of its own: ONNX
   * Runtime reuses memory among what has dimensions of one name, and fails where ranks differ.
   */
  public static String rank(String module) {
    return module + ".lora_r";
  }
}
