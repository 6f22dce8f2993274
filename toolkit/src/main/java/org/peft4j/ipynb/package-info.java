/** Notebook files: read, run and written as pages. */
@NullMarked
package org.peft4j.ipynb;

import org.jspecify.annotations.NullMarked;
