/**
 * Storages of frozen weights, one file each, listed in {@link org.peft4j.quant.Storages}: what a
 * {@link org.peft4j.spi.Frozen} is kept as when it is not plain numbers.
 */
@org.jspecify.annotations.NullMarked
package org.peft4j.quant;
