package org.peft4j.model;

import java.util.Locale;

/**
 * What weights are stored as. In memory they are the first or the third. A directory takes the
 * first three; a GGUF file takes all, the last two for matrices only, in blocks of 32 numbers with
 * one scale.
 */
public enum Dtype {
  F32("float32", 0),
  F16("float16", 1),
  BF16("bfloat16", 32),
  Q8_0("", 7),
  Q4_0("", 2);

  private final String torch;
  private final int fileType;

  Dtype(String torch, int fileType) {
    this.torch = torch;
    this.fileType = fileType;
  }

  /** PyTorch's name; empty for what it has not. */
  String torch() {
    return torch;
  }

  /** Number in GGUF's {@code general.file_type}. */
  int fileType() {
    return fileType;
  }

  boolean packed() {
    return torch.isEmpty();
  }

  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
