/**
 * Models as ONNX graphs that can be shipped: {@link org.peft4j.export.Exporter} writes them, with
 * the keys and values of earlier tokens as inputs where a model writes text, and holds each against
 * the model before it gets its name. A {@link org.peft4j.export.GraphPass} changes the types that a
 * graph stores.
 */
@NullMarked
package org.peft4j.export;

import org.jspecify.annotations.NullMarked;
