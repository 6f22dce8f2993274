package org.peft4j.nn;

import ai.djl.ndarray.NDList;
import ai.djl.nn.Block;
import org.peft4j.spi.Pass;

/** A name in the tree and nothing else: its children are called by whoever made it. */
public final class Group extends Layer {
  /** Adds a child under {@code name} and returns it. */
  public <B extends Block> B child(String name, B block) {
    return addChildBlock(name, block);
  }

  /** The group at a dotted path below this one, made where it is missing. */
  public Group group(String name) {
    return child(name, new Group());
  }

  @Override
  protected NDList compute(Pass pass, NDList inputs) {
    throw new UnsupportedOperationException("a group of blocks does not compute; its model does");
  }
}
