package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import org.jspecify.annotations.Nullable;

/** A weight and its bias, if any. */
public record Weight(NDArray weight, @Nullable NDArray bias) {}
