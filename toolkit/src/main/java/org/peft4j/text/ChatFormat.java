package org.peft4j.text;

import java.util.List;

/** How a model writes a chat as one text, special tokens included; a chat template is one. */
@FunctionalInterface
public interface ChatFormat {
  /**
   * The text of these turns.
   *
   * @param addGenerationPrompt whether to end with what asks the model for its turn
   */
  String render(List<Message> messages, boolean addGenerationPrompt);
}
