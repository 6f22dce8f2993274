/**
 * Language models and adapters written for other runtimes: graphs with places for LoRA and the
 * files that fill them.
 */
@NullMarked
package org.peft4j.export;

import org.jspecify.annotations.NullMarked;
