/**
 * Blocks that models are made of. They compute through {@link org.peft4j.spi.Pass}, where adapters
 * act.
 */
@NullMarked
package org.peft4j.nn;

import org.jspecify.annotations.NullMarked;
