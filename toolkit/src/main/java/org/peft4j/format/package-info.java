/**
 * Files: tensors by name from safetensors, GGUF, PyTorch and ONNX, JSON as Python writes it, files
 * that appear whole or not at all, downloads into the cache. Every reader distrusts its input:
 * lengths are checked before memory is taken, and an error names the file and the entry.
 */
@NullMarked
package org.peft4j.format;

import org.jspecify.annotations.NullMarked;
