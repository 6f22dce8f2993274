/**
 * Data sets for fine-tuning: labelled texts and conversations from files, and tasks that come
 * along.
 */
@NullMarked
package org.peft4j.data;

import org.jspecify.annotations.NullMarked;
