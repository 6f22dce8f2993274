package org.peft4j.export;

import java.util.ArrayList;
import java.util.List;
import org.peft4j.onnx.Input;
import org.peft4j.spi.Anatomy;

/**
 * Names and shapes of cached keys and values in a graph, as Optimum writes them: {@code
 * past_key_values.0.key} comes in, {@code present.0.key} goes out, {@code [batch, heads, tokens,
 * head size]}; of a model with an encoder, {@code .0.decoder.key} and {@code .0.encoder.key}.
 */
final class CacheNames {
  static final String BATCH = "batch_size";
  static final String LENGTH = "sequence_length";
  static final String PAST = "past_sequence_length";
  static final String TOTAL = PAST + " + " + LENGTH;

  private CacheNames() {}

  /**
   * Names of keys and values in turn, layer by layer.
   *
   * @param start {@code past_key_values} or {@code present}
   * @param sides empty, or {@code decoder} and {@code encoder}
   */
  static List<String> of(String start, int layers, String... sides) {
    List<String> names = new ArrayList<>();
    for (int i = 0; i < layers; i++) {
      for (String side : sides.length == 0 ? new String[] {""} : sides) {
        String at = start + "." + i + "." + (side.isEmpty() ? "" : side + ".");
        names.add(at + "key");
        names.add(at + "value");
      }
    }
    return names;
  }

  /** The output that goes on from an input. */
  static String present(String past) {
    return past.replaceFirst("^past_key_values", "present");
  }

  static Input input(String name, Anatomy sizes, Object tokens) {
    return Input.floats(name, BATCH, sizes.groups(), tokens, sizes.headSize());
  }
}
