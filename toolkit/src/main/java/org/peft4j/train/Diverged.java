package org.peft4j.train;

/** A run whose loss or gradients are not finite any more. */
public final class Diverged extends IllegalStateException {
  private static final long serialVersionUID = 1;

  Diverged(String what) {
    super(what + "\nfix: a lower learning rate, or look at the data of this batch");
  }
}
