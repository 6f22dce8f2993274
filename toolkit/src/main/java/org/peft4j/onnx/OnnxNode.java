package org.peft4j.onnx;

import java.util.Collections;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * A node of a graph.
 *
 * @param domain empty for ONNX's own operators
 * @param inputs names of values; empty for an optional one that is left out
 * @param attributes values of type Long, Float, String, long[], float[] or List of String
 * @param site where in Java it stems from; not written to the file
 */
public record OnnxNode(
    String name,
    String domain,
    String operator,
    List<String> inputs,
    List<String> outputs,
    SortedMap<String, Object> attributes,
    String site) {

  public OnnxNode {
    inputs = List.copyOf(inputs);
    outputs = List.copyOf(outputs);
    attributes = Collections.unmodifiableSortedMap(new TreeMap<>(attributes));
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder(String.join(", ", outputs)).append(" = ");
    text.append(domain.isEmpty() ? "" : domain + ".")
        .append(operator)
        .append('(')
        .append(String.join(", ", inputs));
    attributes.forEach((k, v) -> text.append("; ").append(k).append('=').append(Alignment.text(v)));
    return text.append(')').toString();
  }
}
