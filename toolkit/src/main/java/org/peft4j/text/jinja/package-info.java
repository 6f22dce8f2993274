/**
 * Jinja templates as Hugging Face's transformers runs them: {@code trim_blocks} and {@code
 * lstrip_blocks} on, a sandbox without changes to values, tags for loop control and {@code
 * generation}. Values behave as Python's do, because templates are written against those.
 */
@NullMarked
package org.peft4j.text.jinja;

import org.jspecify.annotations.NullMarked;
