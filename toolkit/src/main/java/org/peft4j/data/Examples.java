package org.peft4j.data;

import static java.util.Objects.requireNonNull;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.peft4j.tensor.Seed;

/**
 * Texts for classification and the names of their labels. Immutable and never empty; a label may
 * have no text.
 *
 * @param rows the texts, in order
 * @param labels names; an {@link Example#label()} is an index into them
 */
public record Examples(List<Example> rows, List<String> labels) implements Iterable<Example> {

  /**
   * @throws IllegalArgumentException when there is no text, no label name, a name twice, or a label
   *     out of range
   */
  public Examples {
    rows = List.copyOf(rows);
    labels = List.copyOf(labels);
    if (rows.isEmpty()) {
      throw new IllegalArgumentException(
          "no examples\nexpected: at least one text with a label\nfix: check the file, column or"
              + " filter they come from");
    }
    if (labels.isEmpty() || new HashSet<>(labels).size() < labels.size()) {
      throw new IllegalArgumentException(
          "label names\nexpected: at least one, no two alike\nfound: " + labels);
    }
    Problems wrong = new Problems("example", "a label from 0 to " + (labels.size() - 1));
    for (int i = 0; i < rows.size(); i++) {
      int label = rows.get(i).label();
      if (label < 0 || label >= labels.size()) {
        wrong.add(i, "label " + label);
      }
    }
    wrong.throwIfAny("name all labels, in the order of their numbers; they are " + labels);
  }

  /**
   * Texts and the name of each one's label. Labels are numbered in alphabetical order, or by value
   * where all are whole numbers.
   */
  public static Examples of(List<String> texts, List<String> labels) {
    if (texts.size() != labels.size()) {
      throw new IllegalArgumentException(
          "a label for each text\nexpected: %d labels\nfound: %d"
              .formatted(texts.size(), labels.size()));
    }
    List<String> names = LabelOrder.of(labels);
    Map<String, Integer> index = index(names);
    List<Example> rows = new ArrayList<>(texts.size());
    for (int i = 0; i < texts.size(); i++) {
      rows.add(new Example(texts.get(i), requireNonNull(index.get(labels.get(i)))));
    }
    return new Examples(rows, names);
  }

  /**
   * Reads a CSV file (RFC 4180, UTF-8, first row names the columns; {@code .tsv}: tabs).
   *
   * @throws IllegalArgumentException that names file, line and what is wrong with it
   */
  public static Examples csv(Path file, String textColumn, String labelColumn) {
    return LabelledFiles.csv(file, textColumn, labelColumn);
  }

  /**
   * Reads a file of one JSON object a line. The text is a string; the label is a string, a number
   * or a boolean.
   *
   * @throws IllegalArgumentException that names file, line and what is wrong with it
   */
  public static Examples jsonl(Path file, String textKey, String labelKey) {
    return LabelledFiles.jsonl(file, textKey, labelKey);
  }

  /** Number of texts. */
  public int size() {
    return rows.size();
  }

  public Example get(int i) {
    return rows.get(i);
  }

  /** The name of an example's label. */
  public String label(Example example) {
    return labels.get(example.label());
  }

  public Stream<Example> stream() {
    return rows.stream();
  }

  @Override
  public Iterator<Example> iterator() {
    return rows.iterator();
  }

  /** The texts alone, as a tokenizer takes them. */
  public List<String> texts() {
    return rows.stream().map(Example::text).toList();
  }

  /** The first {@code n}. */
  public Examples take(int n) {
    if (n < 1 || n > size()) {
      throw new IllegalArgumentException(
          "expected: 1 to %,d examples\nfound: %,d".formatted(size(), n));
    }
    return new Examples(rows.subList(0, n), labels);
  }

  /** All of them in random order. */
  public Examples shuffled(long seed) {
    int[] order = Seed.of(seed).at("shuffle").permutation(size());
    return new Examples(Arrays.stream(order).mapToObj(rows::get).toList(), labels);
  }

  /** Any {@code n} of them, none twice, in random order. */
  public Examples sample(int n, long seed) {
    return shuffled(seed).take(n);
  }

  /** Number of texts of each label, in the order of the labels. */
  public Map<String, Integer> counts() {
    int[] n = new int[labels.size()];
    rows.forEach(row -> n[row.label()]++);
    Map<String, Integer> counts = new LinkedHashMap<>();
    IntStream.range(0, n.length).forEach(i -> counts.put(labels.get(i), n[i]));
    return counts;
  }

  /**
   * The same texts, their labels numbered as here; for a test set in a file of its own, which may
   * lack a label that the training set has.
   *
   * @throws IllegalArgumentException when a label in use is not among them
   */
  public Examples withLabels(List<String> names) {
    Map<String, Integer> index = index(names);
    List<String> missing =
        counts().entrySet().stream()
            .filter(e -> e.getValue() > 0 && !index.containsKey(e.getKey()))
            .map(Map.Entry::getKey)
            .toList();
    if (!missing.isEmpty()) {
      throw new IllegalArgumentException(
          "labels that are not among the new ones\nexpected: " + names + "\nfound: " + missing);
    }
    return new Examples(
        rows.stream()
            .map(row -> new Example(row.text(), requireNonNull(index.get(label(row)))))
            .toList(),
        names);
  }

  /**
   * 10 % for testing, 5 % for validation, the rest for training, every label in proportion. Texts
   * that differ only in case or spaces stay together.
   */
  public Splits split(long seed) {
    return Deal.splits(this, Deal.sameText(texts()), seed);
  }

  private static Map<String, Integer> index(List<String> names) {
    Map<String, Integer> index = new LinkedHashMap<>();
    names.forEach(name -> index.put(name, index.size()));
    return index;
  }

  @Override
  public String toString() {
    return Tables.of(this);
  }
}
