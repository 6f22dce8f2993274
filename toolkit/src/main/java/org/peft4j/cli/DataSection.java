package org.peft4j.cli;

import java.nio.file.Path;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.peft4j.data.Conversations;
import org.peft4j.data.Data;
import org.peft4j.data.Examples;
import org.peft4j.data.Splits;

/**
 * Rows to train on, to choose by, to report on.
 *
 * <pre>
 * train        a .csv, .tsv or .jsonl file; wordnet (classification); sentences-to-json (language)
 * validation   a file
 * test         a file
 * split        instead of the two: a seed by which the training rows are dealt to all three
 * rows         how many of sentences-to-json
 * train_rows   only so many, at random
 * test_rows    the same
 * text, label  columns of classification; text is also that of plain texts to learn
 * prompt, completion   columns of language rows in a table
 * system       goes before every chat that has no system message
 * </pre>
 */
record DataSection<T>(T train, @Nullable T validation, @Nullable T test) {

  /** Labelled texts. */
  static DataSection<Examples> examples(Section s) {
    String text = s.text("text", "text");
    String label = s.text("label", "label");
    String train = s.required("train");
    Long split = s.integer("split");
    DataSection<Examples> all;
    if (train.equals("wordnet")) {
      all = parts(Data.wordnet().split(split == null ? 7 : split));
    } else {
      Function<String, Examples> read =
          f ->
              isTable(f)
                  ? Examples.csv(Path.of(f), text, label)
                  : Examples.jsonl(Path.of(f), text, label);
      Examples rows = read.apply(train);
      all =
          split != null
              ? parts(rows.split(split))
              : files(s, rows, f -> read.apply(f).withLabels(rows.labels()));
    }
    return all.sampled(s, (rows, n) -> n >= rows.size() ? rows : rows.sample(n, 1));
  }

  private static DataSection<Examples> parts(Splits splits) {
    return new DataSection<>(splits.train(), splits.validation(), splits.test());
  }

  /** Conversations and texts. */
  static DataSection<Conversations> conversations(Section s) {
    String text = s.text("text", "text");
    String prompt = s.text("prompt");
    String completion = s.text("completion");
    if ((prompt == null) != (completion == null)) {
      throw s.wrong(prompt == null ? "prompt" : "completion", "a column, beside the other", null);
    }
    String system = s.text("system");
    String train = s.required("train");
    Long split = s.integer("split");
    Long count = s.integer("rows");
    Function<String, Conversations> read =
        f -> {
          Conversations rows =
              f.equals("sentences-to-json")
                  ? Data.sentencesToJson(count == null ? 1000 : count.intValue(), 0)
                  : !isTable(f)
                      ? Conversations.jsonl(Path.of(f))
                      : prompt != null && completion != null
                          ? Conversations.csv(Path.of(f), prompt, completion)
                          : Conversations.csv(Path.of(f), text);
          return system == null ? rows : rows.withSystem(system);
        };
    Conversations rows = read.apply(train);
    DataSection<Conversations> all;
    if (split != null) {
      Conversations.Split parts = rows.split(split);
      all = new DataSection<>(parts.train(), parts.validation(), parts.test());
    } else {
      all = files(s, rows, read);
    }
    return all.sampled(s, (r, n) -> n >= r.size() ? r : r.sample(n, 1));
  }

  private static <T> DataSection<T> files(Section s, T train, Function<String, T> read) {
    String validation = s.text("validation");
    String test = s.text("test");
    return new DataSection<>(
        train,
        validation == null ? null : read.apply(validation),
        test == null ? null : read.apply(test));
  }

  private interface Sample<T> {
    T of(T rows, int n);
  }

  private DataSection<T> sampled(Section s, Sample<T> sample) {
    Long trainRows = s.integer("train_rows");
    Long testRows = s.integer("test_rows");
    T held = test;
    return new DataSection<>(
        trainRows == null ? train : sample.of(train, trainRows.intValue()),
        validation,
        testRows == null || held == null ? held : sample.of(held, testRows.intValue()));
  }

  private static boolean isTable(String file) {
    return file.endsWith(".csv") || file.endsWith(".tsv");
  }
}
