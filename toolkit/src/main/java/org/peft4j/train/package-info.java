/** Training: the loop, its optimizer and schedules, checkpoints, and what it tells about itself. */
@NullMarked
package org.peft4j.train;

import org.jspecify.annotations.NullMarked;
