package org.peft4j.model;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One module of a described model, or several alike in a row.
 *
 * @param name last segment of its path
 * @param last name of the last of several alike in a row; empty for one
 * @param times how many
 * @param what its role or kind
 * @param shape of its weight; empty where it has none of its own
 * @param dtype of its weight
 * @param parameters elements in one of them, what lies below included; shared ones count once
 * @param bytes memory of one of them; 0 without values
 * @param note what acts on it or whose tensor it shares
 */
record Described(
    String name,
    String last,
    int times,
    String what,
    String shape,
    String dtype,
    long parameters,
    long bytes,
    String note,
    List<Described> inside) {
  private static final Pattern NUMBERED = Pattern.compile("(\\D*)(\\d{1,9})(\\D*)");

  Described {
    inside = List.copyOf(inside);
  }

  /** {@code 0 .. 29 (30 x)}, or the name. */
  String label() {
    return times == 1 ? name : "%s .. %s (%d x)".formatted(name, last, times);
  }

  /** Runs of neighbours that differ in nothing but their numbers, each as one. */
  static List<Described> folded(List<Described> siblings) {
    List<Described> out = new ArrayList<>();
    for (Described next : siblings) {
      Described before = out.isEmpty() ? null : out.get(out.size() - 1);
      if (before != null && before.isFollowedBy(next)) {
        out.set(out.size() - 1, before.upTo(next));
      } else {
        out.add(next);
      }
    }
    return out;
  }

  private boolean isFollowedBy(Described next) {
    Matcher a = NUMBERED.matcher(times == 1 ? name : last);
    Matcher b = NUMBERED.matcher(next.name);
    return a.matches()
        && b.matches()
        && a.group(1).equals(b.group(1))
        && a.group(3).equals(b.group(3))
        && Integer.parseInt(a.group(2)) + 1 == Integer.parseInt(b.group(2))
        && bare().equals(next.bare());
  }

  private Described bare() {
    return new Described("", "", 1, what, shape, dtype, parameters, bytes, note, inside);
  }

  private Described upTo(Described next) {
    return new Described(
        name, next.name, times + 1, what, shape, dtype, parameters, bytes, note, inside);
  }
}
