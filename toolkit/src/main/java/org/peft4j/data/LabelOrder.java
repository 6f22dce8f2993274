package org.peft4j.data;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;

/** The order of labels: by value where all are whole numbers, else alphabetical. */
final class LabelOrder {
  private LabelOrder() {}

  static List<String> of(Collection<String> labels) {
    List<String> names = labels.stream().distinct().toList();
    boolean numbers = names.stream().allMatch(name -> name.matches("-?\\d{1,18}"));
    Comparator<String> alphabetical = Comparator.naturalOrder();
    Comparator<String> byValue = Comparator.comparingLong(Long::parseLong);
    return names.stream()
        .sorted(numbers ? byValue.thenComparing(alphabetical) : alphabetical)
        .toList();
  }
}
