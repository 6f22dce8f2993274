package org.peft4j.format;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Several files of one format under one index: JSON whose {@code weight_map} names the file of each
 * tensor. Tensors that the index does not name are passed over, as Hugging Face's own indexes leave
 * some out.
 */
final class Shards implements TensorSource {
  private final Path index;
  private final Map<String, TensorSource> files = new LinkedHashMap<>(); // by file name
  private final Map<String, TensorSource> homes = new LinkedHashMap<>(); // by tensor name

  /** Opens one of the files. */
  @FunctionalInterface
  interface Opener {
    TensorSource open(Path file) throws IOException;
  }

  Shards(Path index, Opener opener) throws IOException {
    this.index = index;
    boolean done = false;
    try {
      open(weightMap(), opener);
      done = true;
    } finally {
      if (!done) {
        close();
      }
    }
  }

  private Map<?, ?> weightMap() throws IOException {
    Object map = Json.read(index).get("weight_map");
    if (map instanceof Map<?, ?> m) {
      return m;
    }
    throw Malformed.of(
        index, "weight_map", "an object of tensor names and file names", Json.kind(map), null);
  }

  private void open(Map<?, ?> weightMap, Opener opener) throws IOException {
    List<String> problems = new ArrayList<>();
    for (Map.Entry<?, ?> entry : weightMap.entrySet()) {
      String name = String.valueOf(entry.getKey());
      Path file = Siblings.resolve(index, entry.getValue());
      if (file == null) {
        problems.add(
            Malformed.quote(name)
                + ": expected the name of a file in the same folder, found "
                + Malformed.quote(entry.getValue()));
        continue;
      }
      if (!Files.isRegularFile(file)) {
        problems.add(Malformed.quote(name) + ": no file " + file);
        continue;
      }
      String fileName = String.valueOf(entry.getValue());
      TensorSource shard = files.get(fileName);
      if (shard == null) {
        shard = opener.open(file);
        files.put(fileName, shard);
      }
      if (!shard.names().contains(name)) {
        problems.add(Malformed.quote(name) + ": not in " + file);
      }
      homes.put(name, shard);
    }
    if (!problems.isEmpty()) {
      throw Malformed.all(
          index, "index does not fit its files", problems, "copy or download the folder again");
    }
  }

  @Override
  public Path origin() {
    return index;
  }

  @Override
  public Set<String> names() {
    return Collections.unmodifiableSet(homes.keySet());
  }

  @Override
  public Info info(String name) {
    return home(name).info(name);
  }

  @Override
  public NDArray load(String name, NDManager manager) {
    return home(name).load(name, manager);
  }

  private TensorSource home(String name) {
    TensorSource file = homes.get(name);
    if (file == null) {
      throw Names.missing(this, name);
    }
    return file;
  }

  @Override
  public void close() {
    files.values().forEach(TensorSource::close);
  }

  @Override
  public String toString() {
    return index + ": " + names().size() + " tensors in " + files.size() + " files";
  }
}
