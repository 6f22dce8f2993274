package org.peft4j.generate;

import java.util.List;
import java.util.Locale;

/**
 * What a model wrote.
 *
 * @param text without special tokens and stop strings
 * @param tokens ids of the new tokens, the end token included
 * @param ending why it stopped
 * @param seconds time for this text, reading the prompt included
 * @param tokensPerSecond new tokens per second, without the time to read the prompt
 */
public record Generated(
    String text, List<Long> tokens, Ending ending, double seconds, double tokensPerSecond) {
  /** Why a text ends. */
  public enum Ending {
    /** The model gave its end token. */
    END_TOKEN,
    /** A stop string was complete. */
    STOP_STRING,
    /** As many tokens as were asked for. */
    LENGTH
  }

  public Generated {
    tokens = List.copyOf(tokens);
  }

  /** {@code 42 tokens, 18.3 tokens/s, end token}. */
  public String summary() {
    return String.format(
        Locale.ROOT,
        "%d tokens, %.1f tokens/s, %s",
        tokens.size(),
        tokensPerSecond,
        ending.name().toLowerCase(Locale.ROOT).replace('_', ' '));
  }

  /** The text. */
  @Override
  public String toString() {
    return text;
  }
}
