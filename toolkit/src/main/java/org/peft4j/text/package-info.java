/** Text to token ids and back: Hugging Face tokenizers, and padding rows of tokens to a batch. */
@NullMarked
package org.peft4j.text;

import org.jspecify.annotations.NullMarked;
