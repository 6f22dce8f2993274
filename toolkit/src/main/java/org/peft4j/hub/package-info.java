/**
 * The Hugging Face hub: repositories fetched into the cache that its Python library shares,
 * adapters pushed, and what lies on the disk.
 */
@NullMarked
package org.peft4j.hub;

import org.jspecify.annotations.NullMarked;
