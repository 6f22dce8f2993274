package org.peft4j.spi;

/** What the inputs of a model's sites look like on some data, for methods that start from it. */
public interface Calibration {
  /** The inputs of {@code site}; an error if none were seen. */
  Moments at(Site site);
}
