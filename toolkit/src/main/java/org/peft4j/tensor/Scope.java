package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.NDScope;
import java.util.ArrayList;
import java.util.List;

/**
 * Owns every array made on this thread while it is open and frees them when it closes, whichever
 * manager they were made with. What {@link #keep} names outlives it and belongs to the enclosing
 * scope, if there is one. An operation attaches its result to the manager of its first operand,
 * which may be a weight that lives for hours; a scope is what prevents that leak.
 */
public final class Scope implements AutoCloseable {
  private final NDScope scope = new NDScope();
  private final List<NDArray> kept = new ArrayList<>();

  private Scope() {}

  public static Scope open() {
    Torch.start();
    return new Scope();
  }

  /** Lets {@code array} outlive this scope. */
  public <A extends NDArray> A keep(A array) {
    NDScope.unregister(array);
    kept.add(array);
    return array;
  }

  /** Lets every array of {@code list} outlive this scope. */
  public NDList keep(NDList list) {
    list.forEach(this::keep);
    return list;
  }

  /** Lets {@code array} outlive every scope: {@code owner} frees it. */
  public static NDArray giveTo(NDManager owner, NDArray array) {
    NDScope.unregister(array);
    array.attach(owner);
    return array;
  }

  @Override
  public void close() {
    scope.close();
    kept.forEach(NDScope::register); // now the enclosing scope's, if any
  }
}
