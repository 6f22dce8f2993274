/**
 * What language models need beyond a traced graph: element types, profiles, caches and adapters of
 * an exported model. A {@link org.peft4j.export.GraphPass} turns a graph into another.
 */
@NullMarked
package org.peft4j.export;

import org.jspecify.annotations.NullMarked;
