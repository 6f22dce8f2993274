/** Text from language models: cached steps, sampling, streaming. */
@NullMarked
package org.peft4j.generate;

import org.jspecify.annotations.NullMarked;
