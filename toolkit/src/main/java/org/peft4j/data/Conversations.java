package org.peft4j.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.peft4j.tensor.Seed;

/**
 * Rows to learn language from: chats, of which the assistant's turns are learned, and plain texts.
 * Immutable and never empty.
 */
public record Conversations(List<Conversation> rows) implements Iterable<Conversation> {
  /**
   * Rows in three parts: to train on, to choose by, to report on.
   *
   * @param validation 5 % of the rows
   * @param test 10 % of the rows
   */
  public record Split(Conversations train, Conversations validation, Conversations test) {
    @Override
    public String toString() {
      return "%,d rows: train %,d, validation %,d, test %,d"
          .formatted(
              train.size() + validation.size() + test.size(),
              train.size(),
              validation.size(),
              test.size());
    }
  }

  public Conversations {
    rows = List.copyOf(rows);
    if (rows.isEmpty()) {
      throw new IllegalArgumentException(
          "no rows\nexpected: at least one conversation or text\nfix: check the file or filter they"
              + " come from");
    }
  }

  /** Questions and the answer to each. */
  public static Conversations of(List<String> prompts, List<String> completions) {
    if (prompts.size() != completions.size()) {
      throw new IllegalArgumentException(
          "a completion for each prompt\nexpected: %d completions\nfound: %d"
              .formatted(prompts.size(), completions.size()));
    }
    return new Conversations(
        IntStream.range(0, prompts.size())
            .mapToObj(i -> Conversation.of(prompts.get(i), completions.get(i)))
            .toList());
  }

  /** Plain texts. */
  public static Conversations texts(List<String> texts) {
    return new Conversations(texts.stream().map(Conversation::text).toList());
  }

  /**
   * Reads a file of one JSON object a line: {@code {"messages": [{"role": ..., "content": ...},
   * ...]}}, {@code {"prompt": ..., "completion": ...}} (strings, or lists of messages) or {@code
   * {"text": ...}}. Other keys are ignored.
   *
   * @throws IllegalArgumentException that names file, line and what is wrong with it
   */
  public static Conversations jsonl(Path file) {
    return ConversationFiles.jsonl(file);
  }

  /**
   * Reads questions and answers from a CSV file (RFC 4180, UTF-8, first row names the columns;
   * {@code .tsv}: tabs).
   *
   * @throws IllegalArgumentException that names file, line and what is wrong with it
   */
  public static Conversations csv(Path file, String promptColumn, String completionColumn) {
    return ConversationFiles.csv(file, promptColumn, completionColumn);
  }

  /** Reads plain texts from a column of a CSV file, see {@link #csv(Path, String, String)}. */
  public static Conversations csv(Path file, String textColumn) {
    return ConversationFiles.csv(file, textColumn);
  }

  /** Number of rows. */
  public int size() {
    return rows.size();
  }

  public Conversation get(int i) {
    return rows.get(i);
  }

  public Stream<Conversation> stream() {
    return rows.stream();
  }

  @Override
  public Iterator<Conversation> iterator() {
    return rows.iterator();
  }

  /** The same with a system message before every chat that has none. */
  public Conversations withSystem(String content) {
    return new Conversations(rows.stream().map(row -> row.withSystem(content)).toList());
  }

  /** The first {@code n}. */
  public Conversations take(int n) {
    if (n < 1 || n > size()) {
      throw new IllegalArgumentException(
          "expected: 1 to %,d rows\nfound: %,d".formatted(size(), n));
    }
    return new Conversations(rows.subList(0, n));
  }

  /** All of them in random order. */
  public Conversations shuffled(long seed) {
    int[] order = Seed.of(seed).at("shuffle").permutation(size());
    return new Conversations(Arrays.stream(order).mapToObj(rows::get).toList());
  }

  /** Any {@code n} of them, none twice, in random order. */
  public Conversations sample(int n, long seed) {
    return shuffled(seed).take(n);
  }

  /**
   * 10 % for testing, 5 % for validation, the rest for training. Rows whose question (or text)
   * differs only in case or spaces stay together.
   */
  public Split split(long seed) {
    // dealt as examples of one label, each the number of a row
    List<Example> numbers =
        IntStream.range(0, size()).mapToObj(i -> new Example(String.valueOf(i), 0)).toList();
    int[] group = Deal.sameText(rows.stream().map(Conversation::opening).toList());
    Splits parts = Deal.splits(new Examples(numbers, List.of("row")), group, seed);
    return new Split(part(parts.train()), part(parts.validation()), part(parts.test()));
  }

  private Conversations part(Examples numbers) {
    List<Conversation> part = new ArrayList<>();
    numbers.forEach(n -> part.add(rows.get(Integer.parseInt(n.text()))));
    return new Conversations(part);
  }

  @Override
  public String toString() {
    return Tables.of(this);
  }
}
