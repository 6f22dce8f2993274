/** A kernel for Jupyter: the toolkit's Java session behind the protocol that notebooks speak. */
@NullMarked
package org.peft4j.kernel;

import org.jspecify.annotations.NullMarked;
