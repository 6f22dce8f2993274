package org.peft4j.data;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.StringJoiner;
import java.util.regex.Pattern;

/**
 * Hides the words that a definition defines. Case is ignored, a space in a word also stands for a
 * hyphen, and plurals in -s, -es and -ies count; but abbreviations and symbols, words without a
 * small letter or capitalised ones of two letters, are hidden only as they are written: US is not
 * us, As (arsenic) is not as.
 */
final class Mask {
  static final String HIDDEN = "___";
  private static final Pattern IN_IES = Pattern.compile("[^aeiouAEIOU][yY]$");
  private static final Pattern BREAK = Pattern.compile("[ -]+");

  private Mask() {}

  static String apply(String definition, List<String> words) {
    String lower = definition.toLowerCase(Locale.ROOT);
    StringJoiner forms = new StringJoiner("|");
    words.stream()
        .filter(word -> lower.contains(beginning(word)))
        .sorted((a, b) -> b.length() - a.length()) // "ice cream" before "ice"
        .forEach(word -> forms.add(form(word)));
    if (forms.length() == 0) {
      return definition;
    }
    return Pattern.compile("(?<![A-Za-z0-9])(?:" + forms + ")(?![A-Za-z0-9])")
        .matcher(definition)
        .replaceAll(HIDDEN);
  }

  /** Whether one of the words stands in the text, so that {@link #apply} would hide it. */
  static boolean finds(String text, List<String> words) {
    return !apply(text, words).equals(text);
  }

  /** What all forms of a word begin with, in small letters. */
  private static String beginning(String word) {
    int end = 0;
    while (end < word.length() && word.charAt(end) != ' ' && word.charAt(end) != '-') {
      end++;
    }
    boolean mayChange = end > 0 && (word.charAt(end - 1) == 'y' || word.charAt(end - 1) == 'Y');
    return word.substring(0, mayChange ? end - 1 : end).toLowerCase(Locale.ROOT);
  }

  private static String form(String word) {
    if (isWrittenAsIs(word)) {
      return Pattern.quote(word);
    }
    String[] parts = BREAK.split(word);
    String last = parts[parts.length - 1];
    String plural =
        IN_IES.matcher(last).find()
            ? Pattern.quote(last.substring(0, last.length() - 1)) + "(?:y|ies)"
            : Pattern.quote(last) + "(?:s|es)?";
    StringJoiner pattern = new StringJoiner("[ -]+", "(?i:", ")");
    Arrays.stream(parts).limit(parts.length - 1).map(Pattern::quote).forEach(pattern::add);
    return pattern.add(plural).toString();
  }

  private static boolean isWrittenAsIs(String word) {
    return word.chars().noneMatch(Character::isLowerCase)
        || word.length() == 1
        || (word.length() == 2 && Character.isUpperCase(word.charAt(0)));
  }
}
