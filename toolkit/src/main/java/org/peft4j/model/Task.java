package org.peft4j.model;

/** What a model's head answers. */
public enum Task {
  /** Hidden states; with pooling, embeddings of whole texts. */
  FEATURES,
  /** One label per text: logits {@code [batch, labels]}. */
  SEQUENCE_CLASSIFICATION,
  /** The next token at each position: logits {@code [batch, length, vocabulary]}. */
  CAUSAL_LM
}
