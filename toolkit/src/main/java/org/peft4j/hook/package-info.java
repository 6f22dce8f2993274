/**
 * Methods that act on what flows through a model, one file each: on embeddings, keys and values,
 * attention, sublayers, layers.
 */
@NullMarked
package org.peft4j.hook;

import org.jspecify.annotations.NullMarked;
