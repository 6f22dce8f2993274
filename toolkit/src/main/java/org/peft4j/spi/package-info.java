/**
 * The contracts between methods, weight storages and models: a {@link org.peft4j.spi.Reparam}
 * restates the weights at a {@link org.peft4j.spi.Site}, a {@link org.peft4j.spi.Frozen} stores
 * them, a {@link org.peft4j.spi.Pass} brings both together in one forward pass. None of the three
 * knows the others' implementations.
 */
@NullMarked
package org.peft4j.spi;

import org.jspecify.annotations.NullMarked;
