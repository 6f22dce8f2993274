package org.peft4j.shell;

/**
 * A class, method or variable with what its author wrote about it.
 *
 * @param signature as Java writes it, without the packages of its types
 * @param text plain, empty where nothing is known
 */
public record Documented(String signature, String text) {

  @Override
  public String toString() {
    return text.isEmpty() ? signature : signature + "\n\n" + text;
  }
}
