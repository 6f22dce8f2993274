package org.peft4j.spi;

import java.util.Map;

/**
 * A method's configuration: an immutable record that checks itself. What is common to all methods
 * (targets, bias, modules to save) is a {@link Placement}.
 */
public interface Tuner {
  /** The name users type, such as {@code lora}. */
  String name();

  /** {@code peft_type} in Hugging Face's {@code adapter_config.json}, such as {@code LORA}. */
  String peftType();

  /** The method's own entries of {@code adapter_config.json}, all of them, defaults included. */
  Map<String, Object> toConfig();

  /** One line for people, such as {@code rank 8, alpha 16}. */
  String summary();
}
