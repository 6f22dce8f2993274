package org.peft4j.onnx;

import java.util.List;
import java.util.SortedMap;
import org.jspecify.annotations.Nullable;

/**
 * A recorded operation.
 *
 * @param outputs null where the operator has an output that nobody wants
 */
record Node(
    String domain,
    String operator,
    SortedMap<String, Object> attributes,
    List<Value> inputs,
    List<@Nullable Value> outputs,
    CallSite site) {

  @Override
  public String toString() {
    return operator + " (" + site + ")";
  }
}
