package org.peft4j.data;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * One line of {@code data.noun} (wndb(5WN)): {@code offset lex_filenum n w_cnt word lex_id ...
 * p_cnt pointer ... | gloss}, where w_cnt is two hexadecimal digits, p_cnt three decimal ones and a
 * pointer four fields.
 *
 * @param label index into {@link Supersenses#NAMES}
 * @param lemmas the words, as written but with spaces for underscores
 * @param gloss definition and quoted examples
 */
record Synset(int label, List<String> lemmas, String gloss) {
  private static final String GLOSS = "| ";
  private static final Pattern EXAMPLE_BEHIND_COLON = Pattern.compile(":\\s*\"[^\"]*\"$");

  /**
   * @throws IllegalArgumentException that says what is wrong with the line
   */
  static Synset parse(String line) {
    int bar = line.indexOf(GLOSS);
    if (bar < 0) {
      throw new IllegalArgumentException("no gloss behind a bar: " + line);
    }
    String[] fields = line.substring(0, bar).strip().split(" ");
    if (fields.length < 7) {
      throw new IllegalArgumentException("%d fields, at least 7 needed".formatted(fields.length));
    }
    number("synset_offset", fields[0], 8, 10);
    if (!fields[2].equals("n")) {
      throw new IllegalArgumentException("ss_type %s is not a noun's, n".formatted(fields[2]));
    }
    int file = number("lex_filenum", fields[1], 2, 10) - Supersenses.FIRST;
    if (file < 0 || file >= Supersenses.NAMES.size()) {
      throw new IllegalArgumentException(
          "lex_filenum %s is not one of 03 to 28".formatted(fields[1]));
    }
    int words = number("w_cnt", fields[3], 2, 16);
    int next = 4 + 2 * words;
    if (words == 0 || next >= fields.length) {
      throw new IllegalArgumentException("w_cnt %s does not fit the line".formatted(fields[3]));
    }
    int pointers = number("p_cnt", fields[next], 3, 10);
    if (fields.length != next + 1 + 4 * pointers) {
      throw new IllegalArgumentException(
          "p_cnt %s, but %d fields behind it".formatted(fields[next], fields.length - next - 1));
    }
    List<String> lemmas = new ArrayList<>(words);
    for (int i = 4; i < next; i += 2) {
      lemmas.add(fields[i].replace('_', ' '));
    }
    return new Synset(file, List.copyOf(lemmas), line.substring(bar + GLOSS.length()).strip());
  }

  private static int number(String name, String field, int digits, int radix) {
    boolean right = field.length() == digits;
    for (int i = 0; i < field.length(); i++) {
      right &= Character.digit(field.charAt(i), radix) >= 0;
    }
    if (!right) {
      throw new IllegalArgumentException("%s is \"%s\"".formatted(name, field));
    }
    return Integer.parseInt(field, radix);
  }

  /** The gloss without its examples, the parts between semicolons that begin with a quote. */
  String definition() {
    List<String> parts = new ArrayList<>();
    boolean quoted = false;
    int from = 0;
    for (int i = 0; i <= gloss.length(); i++) {
      if (i == gloss.length() || (gloss.charAt(i) == ';' && !quoted)) {
        parts.add(gloss.substring(from, i).strip());
        from = i + 1;
      } else if (gloss.charAt(i) == '"') {
        quoted = !quoted;
      }
    }
    String definition =
        parts.stream()
            .filter(part -> !part.isEmpty() && !part.startsWith("\""))
            .collect(Collectors.joining("; "));
    if (definition.endsWith("\"")) {
      definition = EXAMPLE_BEHIND_COLON.matcher(definition).replaceFirst("");
    }
    return Spaces.single(definition);
  }
}
