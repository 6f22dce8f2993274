package org.peft4j.data;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.Deque;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.peft4j.tensor.Seed;

@Tag("fast")
class ComponentsTest {
  @Test
  void agree_with_a_search_through_the_graph() {
    int items = 40;
    for (int trial = 0; trial < 50; trial++) {
      Seed random = Seed.of(trial);
      Components components = new Components(items);
      boolean[][] has = new boolean[items][50];
      for (int e = 0; e < 55; e++) {
        int item = random.below(2L * e, items);
        int key = random.below(2L * e + 1, 50);
        has[item][key] = true;
        components.join(item, "key" + key);
      }
      for (int a = 0; a < items; a++) {
        boolean[] reached = reached(has, a);
        for (int b = 0; b < items; b++) {
          assertThat(components.root(a) == components.root(b)).isEqualTo(reached[b]);
        }
      }
    }
  }

  private static boolean[] reached(boolean[][] has, int from) {
    boolean[] reached = new boolean[has.length];
    Deque<Integer> open = new ArrayDeque<>();
    reached[from] = true;
    open.add(from);
    while (!open.isEmpty()) {
      int item = open.remove();
      for (int other = 0; other < has.length; other++) {
        for (int key = 0; key < has[item].length && !reached[other]; key++) {
          if (has[item][key] && has[other][key]) {
            reached[other] = true;
            open.add(other);
          }
        }
      }
    }
    return reached;
  }
}
