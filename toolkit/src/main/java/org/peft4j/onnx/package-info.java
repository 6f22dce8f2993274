/**
 * ONNX graphs of DJL blocks: {@link org.peft4j.onnx.GraphExport} traces a block's forward into an
 * {@link org.peft4j.onnx.OnnxGraph}, {@link org.peft4j.onnx.OnnxSession} runs a file in ONNX
 * Runtime, {@link org.peft4j.onnx.Comparison} holds one against the other.
 */
@NullMarked
package org.peft4j.onnx;

import org.jspecify.annotations.NullMarked;
