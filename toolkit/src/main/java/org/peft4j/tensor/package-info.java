/**
 * What DJL's arrays lack: engine start, ownership, seeded randomness, decompositions and fused
 * operations.
 */
@NullMarked
package org.peft4j.tensor;

import org.jspecify.annotations.NullMarked;
