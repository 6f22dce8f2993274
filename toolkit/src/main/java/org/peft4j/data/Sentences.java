package org.peft4j.data;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.peft4j.tensor.Seed;

/**
 * A made-up task with one right answer: a sentence of six patterns that says who got how many of
 * what where, and the same as one line of JSON. Every row is a function of the seed and its number.
 */
final class Sentences {
  private static final List<String> NAMES =
      List.of(
          "Ada", "Bruno", "Clara", "Dario", "Edith", "Felix", "Greta", "Henry", "Ines", "Jakob",
          "Kira", "Leo", "Mona", "Nils", "Olga", "Pedro", "Ruth", "Stefan", "Tessa", "Viktor");

  private static final List<String> THINGS =
      List.of(
          "baskets",
          "bells",
          "bottles",
          "brushes",
          "buttons",
          "chairs",
          "clocks",
          "coins",
          "cups",
          "lanterns",
          "melons",
          "mirrors",
          "oranges",
          "plates",
          "ribbons",
          "shirts",
          "spoons",
          "tents",
          "towels",
          "umbrellas");

  private static final List<String> PLACES =
      List.of(
          "Accra", "Basel", "Bergen", "Bogota", "Cork", "Delhi", "Genoa", "Graz", "Havana", "Izmir",
          "Krakow", "Lagos", "Lima", "Lyon", "Manila", "Osaka", "Porto", "Riga", "Tunis", "Zagreb");

  private static final List<String> PATTERNS =
      List.of(
          "{who} bought {count} {what} in {where}.",
          "{count} {what} went to {who} in {where}.",
          "On a trip to {where}, {who} picked up {count} {what}.",
          "At the market in {where}, somebody sold {who} {count} {what}.",
          "{who} came home from {where} with {count} {what}.",
          "Yesterday {who} paid for {count} {what} in a shop in {where}.");

  private static final int LEAST = 2;
  private static final int MOST = 60;

  /** A twentieth of all that could be said, so that new ones are always found fast. */
  private static final int LARGEST =
      PATTERNS.size() * NAMES.size() * THINGS.size() * PLACES.size() * (MOST - LEAST + 1) / 20;

  private Sentences() {}

  /** {@code n} rows, no two alike. */
  static Conversations rows(int n, long seed) {
    if (n < 1 || n > LARGEST) {
      throw new IllegalArgumentException(
          "expected: 1 to %,d rows\nfound: %,d".formatted(LARGEST, n));
    }
    List<Conversation> rows = new ArrayList<>(n);
    Set<Conversation> seen = new HashSet<>();
    Seed random = Seed.of(seed).at("sentences");
    for (long i = 0; rows.size() < n; i++) {
      Conversation row = row(random.at(i));
      if (seen.add(row)) {
        rows.add(row);
      }
    }
    return new Conversations(rows);
  }

  private static Conversation row(Seed random) {
    String who = NAMES.get(random.below(0, NAMES.size()));
    String what = THINGS.get(random.below(1, THINGS.size()));
    String where = PLACES.get(random.below(2, PLACES.size()));
    int count = LEAST + random.below(3, MOST - LEAST + 1);
    String sentence =
        PATTERNS
            .get(random.below(4, PATTERNS.size()))
            .replace("{who}", who)
            .replace("{what}", what)
            .replace("{where}", where)
            .replace("{count}", String.valueOf(count));
    return Conversation.of(
        "Turn into JSON: " + sentence,
        "{\"who\":\"%s\",\"what\":\"%s\",\"count\":%d,\"where\":\"%s\"}"
            .formatted(who, what, count, where));
  }
}
