/** Reparameterisations, one file each, and the registry that puts them under test. */
@NullMarked
package org.peft4j.reparam;

import org.jspecify.annotations.NullMarked;
