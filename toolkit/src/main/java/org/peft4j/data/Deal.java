package org.peft4j.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.peft4j.tensor.Seed;

/**
 * Deals groups of examples to test, validation and training. Groups stay whole; the largest trains.
 * Each label has a quota, its share of the examples, in test and validation; groups come in random
 * order and go to the first of the two where all their labels have room, else to training. What
 * stays free because no group fits it is then filled by any that leave each label one to train on.
 */
final class Deal {
  private static final double TEST = 0.10;
  private static final double VALIDATION = 0.05;

  private static final int TRAIN_PART = 0;
  private static final int VALIDATION_PART = 1;
  private static final int TEST_PART = 2;

  private final int[] part; // of each group
  private final int[][] labels; // of each group's examples
  private final int[] order;

  private Deal(int[][] labels, int[] order) {
    this.labels = labels;
    this.order = order;
    this.part = new int[labels.length];
  }

  /** Splits examples whose groups are numbered from 0. */
  static Splits splits(Examples all, int[] group, long seed) {
    int groups = Arrays.stream(group).max().orElseThrow() + 1;
    Seed random = Seed.of(seed).at("split");
    Deal deal = new Deal(labels(all, group, groups), random.permutation(groups));
    deal.deal(all.counts().values().stream().mapToInt(n -> n).toArray(), all.size());
    return new Splits(
        deal.part(all, group, TRAIN_PART, random),
        deal.part(all, group, VALIDATION_PART, random),
        deal.part(all, group, TEST_PART, random));
  }

  /** Groups texts that differ only in case or spaces. */
  static int[] sameText(List<String> texts) {
    Map<String, Integer> number = new HashMap<>();
    return texts.stream()
        .mapToInt(text -> number.computeIfAbsent(normal(text), t -> number.size()))
        .toArray();
  }

  static String normal(String text) {
    return Spaces.single(text).toLowerCase(Locale.ROOT);
  }

  private static int[][] labels(Examples all, int[] group, int groups) {
    List<List<Integer>> lists = new ArrayList<>();
    IntStream.range(0, groups).forEach(g -> lists.add(new ArrayList<>()));
    IntStream.range(0, all.size()).forEach(i -> lists.get(group[i]).add(all.get(i).label()));
    return lists.stream()
        .map(list -> list.stream().mapToInt(label -> label).toArray())
        .toArray(int[][]::new);
  }

  private void deal(int[] counts, int size) {
    int largest = 0;
    for (int g = 1; g < labels.length; g++) {
      largest = labels[g].length > labels[largest].length ? g : largest;
    }
    int[] spare = Arrays.stream(counts).map(n -> n - 1).toArray(); // one of each label trains
    for (int to : new int[] {TEST_PART, VALIDATION_PART}) {
      double share = to == TEST_PART ? TEST : VALIDATION;
      int room = Math.max(1, (int) Math.round(share * size));
      int[] quota = quotas(counts, spare, room, share);
      for (boolean byQuota : new boolean[] {true, false}) {
        for (int g : order) {
          if (part[g] == TRAIN_PART
              && g != largest
              && labels[g].length <= room
              && take(byQuota ? quota : spare, labels[g])) {
            part[g] = to;
            room -= labels[g].length;
            if (byQuota) {
              take(spare, labels[g]);
            }
          }
        }
      }
    }
  }

  /** Takes room for all labels, or none. */
  private static boolean take(int[] quota, int[] labels) {
    for (int i = 0; i < labels.length; i++) {
      if (--quota[labels[i]] < 0) {
        for (int j = 0; j <= i; j++) {
          quota[labels[j]]++;
        }
        return false;
      }
    }
    return true;
  }

  /** Whole numbers next to share * count that add up to total, none above its limit. */
  private static int[] quotas(int[] counts, int[] limit, int total, double share) {
    int[] quota = new int[counts.length];
    Arrays.setAll(quota, i -> Math.min(limit[i], (int) Math.floor(share * counts[i])));
    int left = total - Arrays.stream(quota).sum();
    List<Integer> byRest = new ArrayList<>(IntStream.range(0, counts.length).boxed().toList());
    byRest.sort((a, b) -> Double.compare(share * counts[b] % 1, share * counts[a] % 1));
    for (int i : byRest) {
      if (left > 0 && quota[i] < limit[i]) {
        quota[i]++;
        left--;
      }
    }
    return quota;
  }

  private Examples part(Examples all, int[] group, int which, Seed random) {
    int[] members = IntStream.range(0, all.size()).filter(i -> part[group[i]] == which).toArray();
    if (members.length == 0) {
      throw new IllegalArgumentException(
          "too few different examples to split\nexpected: enough for training, validation and test,"
              + " and one of each label to train on"
              + "\nfound: %d examples in %d groups that must stay together"
                  .formatted(all.size(), labels.length));
    }
    int[] shuffled = random.at(which).permutation(members.length);
    List<Example> rows = Arrays.stream(shuffled).mapToObj(i -> all.get(members[i])).toList();
    return new Examples(rows, all.labels());
  }
}
