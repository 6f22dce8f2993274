package org.peft4j.hub;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How something is pushed to the hub: {@code
 * Push.privately().metrics(tuned.evaluate(test).values())}.
 *
 * @param isPrivate whether only its owners see it; a repository that is there and public is refused
 *     then
 * @param branch that gets a new commit; {@code main} unless told otherwise
 * @param message of the commit
 * @param metrics figures for the model card, by name
 */
public record Push(boolean isPrivate, String branch, String message, Map<String, Double> metrics) {
  private static final String MAIN = "main";

  public Push {
    if (!Repository.isRelative(branch)) {
      throw new IllegalArgumentException(
          Message.of("branch", "not a name", "such as main", Message.quote(branch), null));
    }
    if (message.isBlank()) {
      throw new IllegalArgumentException("message: expected a sentence, found none");
    }
    metrics = Collections.unmodifiableMap(new LinkedHashMap<>(metrics));
  }

  /** For all to see. */
  public static Push publicly() {
    return new Push(false, MAIN, "Upload with peft4j", Map.of());
  }

  /** For its owners to see. */
  public static Push privately() {
    return new Push(true, MAIN, "Upload with peft4j", Map.of());
  }

  /** To this branch, which is made if it is not there. */
  public Push branch(String name) {
    return new Push(isPrivate, name, message, metrics);
  }

  /** With this message of the commit. */
  public Push message(String text) {
    return new Push(isPrivate, branch, text, metrics);
  }

  /** With these figures in the model card. */
  public Push metrics(Map<String, Double> figures) {
    return new Push(isPrivate, branch, message, figures);
  }
}
