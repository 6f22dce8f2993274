/**
 * A method attached to a model: finding its sites, running, merging, combining, saving and loading
 * adapters.
 */
@NullMarked
package org.peft4j.adapter;

import org.jspecify.annotations.NullMarked;
