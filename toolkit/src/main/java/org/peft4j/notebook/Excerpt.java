package org.peft4j.notebook;

import java.lang.reflect.Array;
import org.jspecify.annotations.Nullable;

/** The beginning of arrays and strings that nobody reads to their end. */
public final class Excerpt {
  private static final int MOST_ELEMENTS = 200;
  private static final int MOST_INSIDE = 100;
  private static final int MOST_CHARACTERS = 100_000;

  private Excerpt() {}

  /**
   * A value as it is, or the first elements of a long array, or the first characters of a long
   * string. Arrays in an array are shortened too.
   */
  public static @Nullable Object of(@Nullable Object value) {
    return value instanceof String s && s.length() > MOST_CHARACTERS
        ? s.substring(0, MOST_CHARACTERS)
        : of(value, MOST_ELEMENTS);
  }

  private static @Nullable Object of(@Nullable Object value, int most) {
    if (value == null || !value.getClass().isArray()) {
      return value;
    }
    int length = Array.getLength(value);
    boolean nested = value instanceof Object[] all && holdsArrays(all);
    int kept = Math.min(length, nested ? Math.min(most, MOST_INSIDE) : most);
    if (kept == length && !nested) {
      return value;
    }
    Object head = Array.newInstance(value.getClass().getComponentType(), kept);
    if (!nested) {
      System.arraycopy(value, 0, head, 0, kept);
      return head;
    }
    boolean whole = kept == length;
    for (int i = 0; i < kept; i++) {
      Object element = Array.get(value, i);
      Object shorter = of(element, MOST_INSIDE);
      Array.set(head, i, shorter);
      whole &= shorter == element;
    }
    return whole ? value : head;
  }

  private static boolean holdsArrays(@Nullable Object[] array) {
    for (int i = 0; i < Math.min(array.length, MOST_INSIDE); i++) {
      Object o = array[i];
      if (o != null && o.getClass().isArray()) {
        return true;
      }
    }
    return false;
  }
}
