/** Models: configurations, one file per architecture, heads, loading and saving. */
@NullMarked
package org.peft4j.model;

import org.jspecify.annotations.NullMarked;
