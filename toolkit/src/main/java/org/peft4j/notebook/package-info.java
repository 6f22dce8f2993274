/** What people see while they work: progress lines, charts, tables. */
@NullMarked
package org.peft4j.notebook;

import org.jspecify.annotations.NullMarked;
