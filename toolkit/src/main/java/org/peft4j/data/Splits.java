package org.peft4j.data;

import java.util.List;

/** A data set in three parts with the same labels: to train on, to choose by, to report on. */
public record Splits(Examples train, Examples validation, Examples test) {
  public Splits {
    if (!train.labels().equals(validation.labels()) || !train.labels().equals(test.labels())) {
      throw new IllegalArgumentException(
          "labels of the parts differ\nexpected: "
              + train.labels()
              + "\nfound: "
              + validation.labels()
              + " and "
              + test.labels()
              + "\nfix: use withLabels(train.labels()) on the others");
    }
  }

  /** Names of the labels, by number. */
  public List<String> labels() {
    return train.labels();
  }

  /** Number of texts in all parts. */
  public int size() {
    return train.size() + validation.size() + test.size();
  }

  /** Counts and shares of every label in every part, as text. */
  public String distribution() {
    return Tables.distribution(this);
  }

  @Override
  public String toString() {
    return "%,d examples, %d labels: train %,d, validation %,d, test %,d"
        .formatted(size(), labels().size(), train.size(), validation.size(), test.size());
  }
}
