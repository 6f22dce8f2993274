package org.peft4j.text;

/**
 * One turn of a chat.
 *
 * @param role who speaks: {@code system}, {@code user}, {@code assistant}, or another that the
 *     model's chat template knows
 */
public record Message(String role, String content) {
  /** The role whose turns a model is to write. */
  public static final String ASSISTANT = "assistant";

  public Message {
    if (role.isBlank()) {
      throw new IllegalArgumentException(
          "role\n"
              + "expected: system, user, assistant or another of the chat template\n"
              + "found: nothing");
    }
  }

  /** What the model is told about its part. */
  public static Message system(String content) {
    return new Message("system", content);
  }

  /** What the user says. */
  public static Message user(String content) {
    return new Message("user", content);
  }

  /** What the model says. */
  public static Message assistant(String content) {
    return new Message(ASSISTANT, content);
  }
}
