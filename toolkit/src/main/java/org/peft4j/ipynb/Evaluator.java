package org.peft4j.ipynb;

import org.jspecify.annotations.Nullable;

/** Runs the cells of one notebook, one after another, in this process. */
public interface Evaluator {
  /**
   * Runs a cell.
   *
   * @return the value of its last expression; null where there is none, or it is null
   * @throws Exception what the cell throws, or says why it cannot be run
   */
  @Nullable Object run(String code) throws Exception;
}
