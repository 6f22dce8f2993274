package org.peft4j.adapter;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** The {@code peft_type}s of Hugging Face PEFT 0.21, and why names of its past are not read. */
public final class HuggingFaceTypes {
  /** {@code PeftType} of PEFT 0.21. */
  private static final Set<String> ALL =
      Set.of(
"""
ADALORA ADAMSS ADAPTION_PROMPT BEFT BOFT C3A CARTRIDGE CPT DEFT DELORA FOURIERFT FROD GLORA
GRALORA HIRA HRA IA3 LILY LN_TUNING LOHA LOKR LORA MISS MULTITASK_PROMPT_TUNING OFT OSF
PEANUT POLY PREFIX_TUNING PROMPT_TUNING PSOFT PVERA P_TUNING RANDLORA ROAD SHADOW SHIRA
SUPERTUNING TINYLORA TRAINABLE_TOKENS UNILORA VBLORA VERA WAVEFT XLORA
"""
              .strip()
              .split("\\s+"));

  /** Names of the past. */
  private static final Map<String, String> ABSENT = absent();

  private HuggingFaceTypes() {}

  private static Map<String, String> absent() {
    Map<String, String> all = new LinkedHashMap<>();
    all.put("BONE", "the name MiSS had before PEFT 0.18: train it anew as miss");
    return Collections.unmodifiableMap(all);
  }

  /** Whether Hugging Face PEFT has this type and reads what is saved as it. */
  public static boolean has(String peftType) {
    return ALL.contains(peftType) || why(peftType) != null;
  }

  /** What a type that is not read is, and what to use instead; null for all others. */
  public static @Nullable String why(String peftType) {
    return ABSENT.get(peftType);
  }

  /** Types of Hugging Face's that are not read, in alphabetical order. */
  public static List<String> absentTypes() {
    return List.copyOf(new TreeSet<>(ABSENT.keySet()));
  }

  /** All of Hugging Face's, here or not. */
  static Set<String> all() {
    return ALL;
  }
}
