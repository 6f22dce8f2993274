/** Data sets for fine-tuning: labelled texts from files, and a real task made from WordNet. */
@NullMarked
package org.peft4j.data;

import org.jspecify.annotations.NullMarked;
