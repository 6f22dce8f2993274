package org.peft4j.train;

import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Answers to questions as SQuAD's evaluation (version 2; Rajpurkar et al., arXiv 1806.03822)
 * compares them: in lower case, without punctuation, the articles a, an, the, and surplus white
 * space; of several right answers the best match counts. An unanswerable question has the answer
 * {@code ""}.
 */
final class Squad {
  private static final Pattern PUNCTUATION = Pattern.compile("\\p{Punct}");
  private static final Pattern ARTICLE =
      Pattern.compile("\\b(a|an|the)\\b", Pattern.UNICODE_CHARACTER_CLASS);
  private static final Pattern SPACE = Pattern.compile("\\s+", Pattern.UNICODE_CHARACTER_CLASS);

  private Squad() {}

  private static List<String> words(String answer) {
    String bare = PUNCTUATION.matcher(answer.toLowerCase(Locale.ROOT)).replaceAll("");
    String text = ARTICLE.matcher(bare).replaceAll(" ");
    return Stream.of(SPACE.split(text)).filter(w -> !w.isEmpty()).toList();
  }

  /** 1 if the answer is one of the right ones. */
  static double exact(String predicted, List<String> expected) {
    List<String> p = words(predicted);
    return expected.stream().anyMatch(e -> words(e).equals(p)) ? 1 : 0;
  }

  /** F-measure of the words shared with the right answer that shares most. */
  static double f1(String predicted, List<String> expected) {
    List<String> p = words(predicted);
    return expected.stream().mapToDouble(e -> f1(p, words(e))).max().orElse(0);
  }

  private static double f1(List<String> p, List<String> e) {
    if (p.isEmpty() || e.isEmpty()) {
      return p.equals(e) ? 1 : 0;
    }
    Map<String, Integer> left = new HashMap<>();
    e.forEach(w -> left.merge(w, 1, Integer::sum));
    int shared = (int) p.stream().filter(w -> left.merge(w, -1, Integer::sum) >= 0).count();
    return Rouge.f(shared, p.size(), e.size());
  }
}
