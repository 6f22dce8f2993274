package org.peft4j.model;

/** What a model's head answers. */
public enum Task {
  /** Hidden states; with pooling, embeddings of whole texts. */
  FEATURES,
  /** One label per text: logits {@code [batch, labels]}. */
  SEQUENCE_CLASSIFICATION,
  /** One label per image: logits {@code [batch, labels]}. */
  IMAGE_CLASSIFICATION,
  /** One label per token: logits {@code [batch, length, labels]}. */
  TOKEN_CLASSIFICATION,
  /** Where an answer begins and ends: two times logits {@code [batch, length]}. */
  QUESTION_ANSWERING,
  /** The next token at each position: logits {@code [batch, length, vocabulary]}. */
  CAUSAL_LM,
  /** The next token of a decoder behind an encoder: logits {@code [batch, length, vocabulary]}. */
  SEQ2SEQ_LM;

  /** Whether it scores the next token at each position. */
  boolean scoresTokens() {
    return this == CAUSAL_LM || this == SEQ2SEQ_LM;
  }
}
