package org.peft4j.export;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;
import org.peft4j.model.Config;
import org.peft4j.model.Pretrained;
import org.peft4j.spi.Anatomy;

/**
 * The {@code genai_config.json} of a causal language model, as onnxruntime-genai's model builder
 * writes it. Nobody has run it there yet.
 *
 * @param shared whether one buffer may be past and present
 */
record GenAiConfig(Pretrained model, Config config, Anatomy sizes, boolean shared) {
  private static final String PAST = "past_key_values.%d.";
  private static final String PRESENT = "present.%d.";

  String text() {
    Map<String, @Nullable Object> all = new LinkedHashMap<>();
    all.put("model", modelSection());
    all.put("search", search());
    return Json.formatUnsorted(all) + "\n";
  }

  private Map<String, @Nullable Object> modelSection() {
    Map<String, @Nullable Object> m = new LinkedHashMap<>();
    Object end = config.values().get("eos_token_id");
    Object pad = config.values().get("pad_token_id");
    Object first = end instanceof List<?> list && !list.isEmpty() ? list.get(0) : end;
    m.put("bos_token_id", config.values().get("bos_token_id"));
    m.put("context_length", (long) context());
    m.put("decoder", decoder());
    m.put("eos_token_id", end);
    m.put("pad_token_id", pad != null ? pad : first);
    m.put("type", config.modelType());
    m.put("vocab_size", (long) config.size("vocab_size"));
    m.values().removeIf(v -> v == null);
    return m;
  }

  private int context() {
    return model.context() > 0 ? model.context() : 2048;
  }

  private Map<String, @Nullable Object> decoder() {
    Map<String, @Nullable Object> session = new LinkedHashMap<>();
    session.put("log_id", "onnxruntime-genai");
    session.put("provider_options", List.of());
    Map<String, @Nullable Object> inputs = new LinkedHashMap<>();
    for (String name : List.of("input_ids", "attention_mask", "position_ids")) {
      inputs.put(name, name);
    }
    inputs.put("past_key_names", PAST + "key");
    inputs.put("past_value_names", PAST + "value");
    Map<String, @Nullable Object> outputs = new LinkedHashMap<>();
    outputs.put("logits", "logits");
    outputs.put("present_key_names", PRESENT + "key");
    outputs.put("present_value_names", PRESENT + "value");
    Map<String, @Nullable Object> d = new LinkedHashMap<>();
    d.put("session_options", session);
    d.put("filename", "model.onnx");
    d.put("head_size", (long) sizes.headSize());
    d.put("hidden_size", (long) sizes.hidden());
    d.put("inputs", inputs);
    d.put("outputs", outputs);
    d.put("num_attention_heads", (long) sizes.heads());
    d.put("num_hidden_layers", (long) sizes.layers());
    d.put("num_key_value_heads", (long) sizes.groups());
    return d;
  }

  private Map<String, @Nullable Object> search() {
    Map<String, @Nullable Object> s = new LinkedHashMap<>();
    s.put("diversity_penalty", 0.0);
    s.put("do_sample", false);
    s.put("early_stopping", true);
    s.put("length_penalty", 1.0);
    s.put("max_length", (long) context());
    s.put("min_length", 0L);
    s.put("no_repeat_ngram_size", 0L);
    s.put("num_beams", 1L);
    s.put("num_return_sequences", 1L);
    s.put("past_present_share_buffer", shared);
    s.put("repetition_penalty", 1.0);
    s.put("temperature", 1.0);
    s.put("top_k", 50L);
    s.put("top_p", 1.0);
    return s;
  }
}
