package org.peft4j.model;

import ai.djl.nn.Block;
import java.util.Locale;
import java.util.Map;

/**
 * The modules of a model as a tree: what each is, its shape, type, parameters and memory, and which
 * adapter acts on it. Neighbours that differ in nothing but their numbers, such as the layers, are
 * one entry, whose figures are those of one of them. It prints as text of at most 100 columns; a
 * notebook shows {@link #toHtml}.
 */
public final class Description {
  private final String title;
  private final Described root;

  private Description(String title, Described root) {
    this.title = title;
    this.root = root;
  }

  /**
   * Describes a block.
   *
   * @param title one or several lines
   * @param notes what to say at a module, or at a parameter, by its path
   */
  public static Description of(Block block, String title, Map<String, String> notes) {
    Described root = new DescribedBuilder(notes).of(block);
    String first = title.lines().findFirst().orElse("");
    String memory = root.bytes() == 0 ? "" : ", " + memory(root.bytes());
    return new Description(first + memory + title.substring(first.length()), root);
  }

  /** Elements of all parameters, shared ones once. */
  public long parameters() {
    return root.parameters();
  }

  /** Memory of all parameters; 0 for a model without weights. */
  public long bytes() {
    return root.bytes();
  }

  /** A tree to unfold, complete in itself. */
  public String toHtml() {
    return new TreeHtml().of(title, root);
  }

  @Override
  public String toString() {
    return TreeText.of(title, root);
  }

  /** {@code 28,311,552}. */
  static String count(long n) {
    return String.format(Locale.ROOT, "%,d", n);
  }

  /** {@code 108.0 MiB}, {@code 64 B}; empty for none. */
  static String memory(long bytes) {
    double kib = bytes / 1024.0;
    if (bytes < 1024) {
      return bytes == 0 ? "" : bytes + " B";
    }
    return kib < 1024
        ? String.format(Locale.ROOT, "%.1f KiB", kib)
        : String.format(Locale.ROOT, "%,.1f MiB", kib / 1024);
  }
}
