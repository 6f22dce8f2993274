package org.peft4j.onnx;

import java.util.List;

/**
 * A place for an adapter in a graph: optional inputs that an adapter gives all of, or none. For
 * LoRA these are {@code <module>.lora_A.weight [in, lora_r]} and {@code <module>.lora_B.weight
 * [lora_r, out]}, of any rank; for a module that adapters replace, its weight and bias.
 *
 * @param module dotted path of the module, as Hugging Face writes it
 */
public record AdapterSlot(String module, List<GraphValue> inputs) {
  /** The name of the dimension that is a LoRA's rank. */
  public static final String RANK = "lora_r";

  public AdapterSlot {
    inputs = List.copyOf(inputs);
  }
}
