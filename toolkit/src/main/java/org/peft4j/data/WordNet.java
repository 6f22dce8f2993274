package org.peft4j.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * A classification task from WordNet (Miller 1995; Princeton University): the definition of a noun,
 * the noun itself hidden, is to be sorted into one of the 26 lexicographer files, or supersenses
 * (Ciaramita and Johnson 2003), such as {@code noun.animal} or {@code noun.feeling}.
 *
 * <p>Left out are definitions of fewer than three words besides the hidden ones, repeated ones, and
 * those that stand under different supersenses.
 *
 * <p>No word and no definition is on both sides of a {@link #split}: synsets that share a word or a
 * definition, directly or through others, stay together, and the largest of these groups trains.
 */
public final class WordNet {
  private static final int FEWEST_WORDS = 3;

  private final List<Synset> synsets; // one for each example
  private final Examples examples;
  private final int[] component; // of each example
  private final String summary;

  private WordNet(List<Synset> synsets, Examples examples, int[] component, String summary) {
    this.synsets = synsets;
    this.examples = examples;
    this.component = component;
    this.summary = summary;
  }

  /**
   * Reads the task from WordNet's {@code data.noun}.
   *
   * @throws IllegalArgumentException that names file, line and what is wrong with it
   */
  public static WordNet read(Path dataNoun) {
    List<Synset> all = synsets(dataNoun);
    Components components = new Components(all.size());
    List<Text> texts = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      Synset synset = all.get(i);
      String definition = synset.definition();
      Text text = Text.of(Mask.apply(definition, synset.lemmas()));
      texts.add(text);
      for (String lemma : synset.lemmas()) {
        components.join(i, "word " + lemma.toLowerCase(Locale.ROOT).replace('-', ' '));
      }
      components.join(i, "definition " + Text.normal(definition));
    }
    return select(dataNoun, all, texts, components);
  }

  private static List<Synset> synsets(Path file) {
    Problems problems = new Problems(file, "WordNet's data.noun, lines as in wndb(5WN)");
    List<Synset> synsets = new ArrayList<>();
    int number = 0;
    for (String line : LabelledFiles.read(file).split("\n")) {
      number++;
      if (line.isBlank() || line.startsWith("  ")) { // the licence stands in front
        continue;
      }
      try {
        synsets.add(Synset.parse(line));
      } catch (IllegalArgumentException e) {
        problems.add(number, String.valueOf(e.getMessage()));
      }
    }
    if (synsets.isEmpty()) {
      problems.add(number, "the end, and no synset");
    }
    problems.throwIfAny("use data.noun of WordNet 3.0 or 3.1 as it is distributed");
    return synsets;
  }

  /** What an example shows, and what tells two of them apart. */
  private record Text(String shown, String normal, boolean isLongEnough) {
    static Text of(String shown) {
      String normal = normal(shown);
      long words = normal.chars().filter(c -> c == ' ').count() + 1;
      return new Text(shown, normal, words >= FEWEST_WORDS);
    }

    static String normal(String text) {
      return Spaces.words(text).toLowerCase(Locale.ROOT);
    }
  }

  /** Drops what makes no good example; see the class comment. */
  private static WordNet select(
      Path file, List<Synset> all, List<Text> texts, Components components) {
    Set<String> ambiguous = ambiguous(all, texts);
    List<Synset> kept = new ArrayList<>();
    List<Example> rows = new ArrayList<>();
    List<Integer> component = new ArrayList<>();
    Map<Integer, Integer> numbers = new HashMap<>();
    Set<String> seen = new HashSet<>();
    int[] left = new int[3];
    for (int i = 0; i < all.size(); i++) {
      Text text = texts.get(i);
      if (!text.isLongEnough()) {
        left[0]++;
      } else if (ambiguous.contains(text.normal())) {
        left[1]++;
      } else if (!seen.add(text.normal())) {
        left[2]++;
      } else {
        kept.add(all.get(i));
        rows.add(new Example(text.shown(), all.get(i).label()));
        component.add(numbers.computeIfAbsent(components.root(i), r -> numbers.size()));
      }
    }
    String summary =
        ("WordNet nouns, definition to supersense (%s)\n%,d synsets; left out: "
                + "%,d short, %,d ambiguous, %,d repeated")
            .formatted(file.getFileName(), all.size(), left[0], left[1], left[2]);
    return new WordNet(
        kept,
        new Examples(rows, Supersenses.NAMES),
        component.stream().mapToInt(c -> c).toArray(),
        summary);
  }

  /** Texts that stand under more than one supersense. */
  private static Set<String> ambiguous(List<Synset> all, List<Text> texts) {
    Map<String, Integer> labels = new HashMap<>();
    Set<String> ambiguous = new HashSet<>();
    for (int i = 0; i < all.size(); i++) {
      Integer other = labels.putIfAbsent(texts.get(i).normal(), all.get(i).label());
      if (other != null && other != all.get(i).label()) {
        ambiguous.add(texts.get(i).normal());
      }
    }
    return ambiguous;
  }

  /**
   * 10 % for testing and 5 % for validation, every supersense in proportion; the rest, with the
   * largest group, for training. The same seed gives the same parts in the same order.
   */
  public Splits split(long seed) {
    return Deal.splits(examples, component, seed);
  }

  /** All definitions, in the order of the file. */
  public Examples examples() {
    return examples;
  }

  /** The 26 supersenses. */
  public List<String> labels() {
    return examples.labels();
  }

  /** Number of definitions. */
  public int size() {
    return examples.size();
  }

  /** The synset behind each example. */
  List<Synset> synsets() {
    return synsets;
  }

  @Override
  public String toString() {
    return summary + "\n" + examples;
  }
}
