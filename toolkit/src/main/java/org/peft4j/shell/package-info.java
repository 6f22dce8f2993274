/**
 * Java typed piece by piece: the JDK's JShell in this process, with the toolkit at hand. The
 * command line and the notebook kernel are its two faces.
 */
@NullMarked
package org.peft4j.shell;

import org.jspecify.annotations.NullMarked;
