package org.peft4j.export;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.zip.CRC32;
import org.peft4j.spi.Site;

/**
 * A base model in a number: of the paths, kinds and shapes of its modules. It is the same whatever
 * the weights are stored in, and for models that were trained further, since their adapters fit
 * each other.
 */
final class BaseNumber {
  private BaseNumber() {}

  /** Never 0 or 1, which say nothing in adapter files. */
  static int of(List<Site> sites) {
    CRC32 sum = new CRC32();
    for (Site s : sites) {
      String line = s.path() + " " + s.kind() + " " + s.shape() + "\n";
      sum.update(line.getBytes(StandardCharsets.UTF_8));
    }
    int number = (int) sum.getValue();
    return number == 0 || number == 1 ? -1 : number;
  }
}
