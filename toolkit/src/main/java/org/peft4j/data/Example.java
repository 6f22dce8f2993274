package org.peft4j.data;

/**
 * A text and what it is.
 *
 * @param label index into the labels of its {@link Examples}
 */
public record Example(String text, int label) {}
