package org.peft4j.train;

import java.util.ArrayList;
import java.util.List;

/**
 * The entities that tags such as {@code B-PER I-PER O} spell out, as {@code conlleval} and Python's
 * {@code seqeval} read them: tags B, I, E, S and O; an I that nothing began begins an entity.
 */
final class Entities {
  private static final String OUTSIDE = "O";

  private Entities() {}

  /**
   * One entity.
   *
   * @param first index of its first token
   * @param last index of its last token
   */
  record Entity(String type, int first, int last) {}

  static List<Entity> of(List<String> tags) {
    List<Entity> out = new ArrayList<>();
    String before = OUTSIDE;
    int first = 0;
    for (int i = 0; i <= tags.size(); i++) {
      String tag = i < tags.size() ? tags.get(i) : OUTSIDE;
      if (ends(before, tag)) {
        out.add(new Entity(type(before), first, i - 1));
      }
      if (starts(before, tag)) {
        first = i;
      }
      before = tag;
    }
    return out;
  }

  private static boolean ends(String before, String tag) {
    char b = before.charAt(0);
    return switch (b) {
      case 'O' -> false;
      case 'E', 'S' -> true;
      default -> "BSO".indexOf(tag.charAt(0)) >= 0 || !type(before).equals(type(tag));
    };
  }

  private static boolean starts(String before, String tag) {
    char t = tag.charAt(0);
    return switch (t) {
      case 'O' -> false;
      case 'B', 'S' -> true;
      default -> "ESO".indexOf(before.charAt(0)) >= 0 || !type(before).equals(type(tag));
    };
  }

  private static String type(String tag) {
    int dash = tag.indexOf('-');
    return dash < 0 ? tag.substring(1) : tag.substring(dash + 1);
  }
}
