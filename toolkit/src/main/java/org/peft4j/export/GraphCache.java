package org.peft4j.export;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.util.Map;

/** Keys and values of earlier tokens between two runs of a graph. */
interface GraphCache extends AutoCloseable {
  /**
   * What the next run reads, by the names of the graph's inputs.
   *
   * @param total number of tokens after that run
   */
  Map<String, OnnxTensor> past(long total) throws OrtException;

  /**
   * Where the next run is to write, by the names of the graph's outputs; what is missing is new.
   */
  Map<String, OnnxTensor> present();

  /** Takes over what a run gave, and frees what it read. */
  void ran(OrtSession.Result result) throws OrtException;

  /** Goes on with these rows of the batch, in this order. */
  void select(long[] rows) throws OrtException;

  @Override
  void close();
}
