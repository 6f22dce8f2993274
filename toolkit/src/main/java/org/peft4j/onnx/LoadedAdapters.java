package org.peft4j.onnx;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoraAdapter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The adapters of a session, by name. Several threads may load and choose at once. */
final class LoadedAdapters implements AutoCloseable {
  /**
   * An adapter in ONNX Runtime, which maps its file into memory or, of one that other graphs take
   * parts of, holds its own part; null where it has none.
   */
  record Loaded(String name, List<OnnxAdapter.Tensor> tensors, @Nullable OrtLoraAdapter runtime) {}

  private final Path graph;
  private final AdapterSlots slots;
  private final Map<String, Loaded> byName = new LinkedHashMap<>();
  private boolean closed;

  LoadedAdapters(Path graph, AdapterSlots slots) {
    this.graph = graph;
    this.slots = slots;
  }

  void load(String name, Path file) {
    requireFree(name);
    OnnxAdapter content = OnnxAdapter.read(file);
    slots.check(content, graph);
    load(name, content);
  }

  /** Takes what is for this graph of an adapter that was checked. */
  synchronized void load(String name, OnnxAdapter content) {
    requireFree(name);
    List<OnnxAdapter.Tensor> own =
        content.tensors().stream().filter(t -> slots.names().contains(t.name())).toList();
    try {
      OnnxRuntime.environment();
      OrtLoraAdapter runtime =
          own.isEmpty()
              ? null
              : own.size() == content.tensors().size()
                  ? OrtLoraAdapter.create(content.file().toAbsolutePath().toString())
                  : OrtLoraAdapter.create(content.only(own));
      byName.put(name, new Loaded(name, own, runtime));
    } catch (OrtException e) {
      throw new IllegalArgumentException(
          "ONNX Runtime cannot load " + content.file() + "\nfound: " + e.getMessage(), e);
    }
  }

  /** An error where an adapter of that name cannot be loaded. */
  synchronized void requireFree(String name) {
    requireOpen();
    if (name.isBlank() || byName.containsKey(name)) {
      throw new IllegalArgumentException(
          "adapter name: expected some text that is not in use yet\nfound: '"
              + name
              + "', beside "
              + byName.keySet());
    }
  }

  synchronized List<String> names() {
    return List.copyOf(byName.keySet());
  }

  /** The adapters of these names, which must not give the same input. */
  synchronized List<Loaded> chosen(String... names) {
    requireOpen();
    List<Loaded> chosen = new ArrayList<>();
    Map<String, String> givers = new HashMap<>();
    for (String name : names) {
      Loaded adapter = byName.get(name);
      if (adapter == null) {
        throw new IllegalArgumentException(
            "no adapter '" + name + "'\nthere are: " + byName.keySet());
      }
      chosen.add(adapter);
      for (OnnxAdapter.Tensor t : adapter.tensors()) {
        String other = givers.put(t.name(), name);
        if (other != null) {
          throw new IllegalArgumentException(
              "adapters '"
                  + other
                  + "' and '"
                  + name
                  + "' cannot be used together\nfound: both give "
                  + t.name()
                  + "\nfix: use one at a time, or combine(...) them into one before they are written");
        }
      }
    }
    return List.copyOf(chosen);
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the session of " + graph.getFileName() + " is closed");
    }
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      for (Loaded a : byName.values()) {
        if (a.runtime() != null) {
          a.runtime().close();
        }
      }
    }
  }
}
