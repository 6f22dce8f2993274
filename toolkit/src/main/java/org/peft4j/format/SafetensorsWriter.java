package org.peft4j.format;

import ai.djl.ndarray.NDArray;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.peft4j.format.Safetensors.Entry;
import org.peft4j.tensor.Scope;

/** Lays tensors out as Hugging Face's library does and streams them to disk. */
final class SafetensorsWriter {
  private static final int ALIGNMENT = 8;

  private SafetensorsWriter() {}

  static void write(Path file, Collection<Entry> entries, Map<String, String> metadata)
      throws IOException {
    List<Entry> ordered = ordered(file, entries);
    ByteBuffer header = header(file, ordered, metadata);
    AtomicFiles.channel(
        file,
        channel -> {
          writeFully(channel, header);
          for (Entry entry : ordered) {
            writeTensor(file, entry, channel);
          }
        });
  }

  /** By element type, the widest first, then by name in the order of its UTF-8 bytes. */
  private static List<Entry> ordered(Path file, Collection<Entry> entries) {
    List<String> problems = new ArrayList<>();
    Set<String> names = new HashSet<>();
    for (Entry entry : entries) {
      if (!names.add(entry.name()) || entry.name().equals(SafetensorsHeader.METADATA)) {
        problems.add(Malformed.quote(entry.name()) + ": the name is taken");
      }
      try {
        entry.bytes();
      } catch (IllegalArgumentException e) {
        problems.add(Malformed.quote(entry.name()) + ": " + e.getMessage());
      }
    }
    if (!problems.isEmpty()) {
      throw Malformed.all(file, "cannot be written", problems, "rename or convert these tensors");
    }
    return entries.stream()
        .sorted(
            Comparator.comparing(Entry::type, Comparator.reverseOrder())
                .thenComparing(Entry::name, PythonJson.CODE_POINTS))
        .toList();
  }

  private static ByteBuffer header(Path file, List<Entry> entries, Map<String, String> metadata) {
    StringBuilder json = new StringBuilder("{");
    if (!metadata.isEmpty()) {
      string(json, SafetensorsHeader.METADATA).append(":{");
      new TreeMap<>(metadata)
          .forEach(
              (key, value) -> {
                string(json, key).append(':');
                string(json, value).append(',');
              });
      json.setCharAt(json.length() - 1, '}');
      json.append(',');
    }
    long at = 0;
    for (Entry entry : entries) {
      string(json, entry.name()).append(":{\"dtype\":\"").append(entry.type());
      String shape = ElementType.dimensions(entry.shape()).toString().replace(" ", "");
      json.append("\",\"shape\":").append(shape).append(",\"data_offsets\":[").append(at);
      at = Math.addExact(at, entry.bytes());
      json.append(',').append(at).append("]},");
    }
    if (json.length() > 1) {
      json.setLength(json.length() - 1);
    }
    byte[] text = utf8(file, json.append('}'));
    int length = (text.length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (length > SafetensorsHeader.LONGEST) {
      throw Malformed.of(
          file,
          "cannot be written",
          "a header of at most " + SafetensorsHeader.LONGEST + " bytes",
          length + " bytes",
          "write fewer tensors to one file");
    }
    ByteBuffer out =
        ByteBuffer.allocate(Long.BYTES + length).order(ByteOrder.LITTLE_ENDIAN).putLong(length);
    out.put(text);
    while (out.hasRemaining()) {
      out.put((byte) ' ');
    }
    return out.flip();
  }

  private static byte[] utf8(Path file, CharSequence json) {
    try {
      ByteBuffer bytes = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(json));
      byte[] out = new byte[bytes.remaining()];
      bytes.get(out);
      return out;
    } catch (CharacterCodingException e) {
      throw Malformed.of(
          file, "cannot be written", "names of Unicode characters", "half a surrogate pair", null);
    }
  }

  /** A JSON string with the fewest escapes, as Rust's serde_json writes it. */
  private static StringBuilder string(StringBuilder json, String s) {
    json.append('"');
    for (int i = 0; i < s.length(); i++) {
      char c = s.charAt(i);
      switch (c) {
        case '"' -> json.append("\\\"");
        case '\\' -> json.append("\\\\");
        case '\n' -> json.append("\\n");
        case '\r' -> json.append("\\r");
        case '\t' -> json.append("\\t");
        case '\f' -> json.append("\\f");
        case '\b' -> json.append("\\b");
        default -> {
          if (c < ' ') {
            json.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
          } else {
            json.append(c);
          }
        }
      }
    }
    return json.append('"');
  }

  private static void writeTensor(Path file, Entry entry, FileChannel channel) throws IOException {
    try (Scope scope = Scope.open()) {
      NDArray array = entry.values().get();
      if (!array.getShape().equals(entry.shape())
          || !Elements.stores(array.getDataType(), entry.type())) {
        throw Malformed.of(
            file,
            Malformed.quote(entry.name()) + " is not what was announced",
            entry.type() + " " + entry.shape(),
            array.getDataType() + " " + array.getShape(),
            null);
      }
      Elements.store(array, entry.type(), b -> writeFully(channel, b), Elements.WINDOW);
    }
  }

  private static void writeFully(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
  }

  static void writeSharded(
      Path directory, Collection<Entry> entries, long maxShardBytes, Map<String, String> metadata)
      throws IOException {
    if (maxShardBytes < 1) {
      throw new IllegalArgumentException(
          "maxShardBytes: expected at least 1, found " + maxShardBytes);
    }
    ordered(directory, entries); // all problems before the first byte
    List<List<Entry>> shards = shards(entries, maxShardBytes);
    Path index = directory.resolve(Safetensors.INDEX);
    Path single = directory.resolve(Safetensors.SINGLE);
    Files.deleteIfExists(index); // from here to the end the directory has no entrance
    Set<String> written = new HashSet<>();
    if (shards.size() == 1) {
      write(single, shards.get(0), metadata);
      written.add(Safetensors.SINGLE);
    } else {
      Files.deleteIfExists(single);
      Map<String, Object> weightMap = new TreeMap<>();
      for (int i = 0; i < shards.size(); i++) {
        String name =
            String.format(Locale.ROOT, "model-%05d-of-%05d.safetensors", i + 1, shards.size());
        write(directory.resolve(name), shards.get(i), metadata);
        shards.get(i).forEach(entry -> weightMap.put(entry.name(), name));
        written.add(name);
      }
      AtomicFiles.writeString(index, Json.format(index(entries, weightMap)) + "\n");
    }
    try (DirectoryStream<Path> old =
        Files.newDirectoryStream(directory, "model-?????-of-?????.safetensors")) {
      for (Path file : old) {
        if (!written.contains(String.valueOf(file.getFileName()))) {
          Files.delete(file);
        }
      }
    }
  }

  private static Map<String, Object> index(
      Collection<Entry> entries, Map<String, Object> weightMap) {
    long bytes = entries.stream().mapToLong(Entry::bytes).sum();
    long parameters = entries.stream().mapToLong(e -> e.shape().size()).sum();
    return Map.of(
        "metadata",
        Map.of("total_parameters", parameters, "total_size", bytes),
        "weight_map",
        weightMap);
  }

  /** Greedy in the given order; a tensor above the limit goes into a file of its own at once. */
  private static List<List<Entry>> shards(Collection<Entry> entries, long maxShardBytes) {
    List<List<Entry>> shards = new ArrayList<>();
    List<Entry> current = new ArrayList<>();
    long size = 0;
    for (Entry entry : entries) {
      long bytes = entry.bytes();
      if (bytes > maxShardBytes) {
        shards.add(List.of(entry));
        continue;
      }
      if (size + bytes > maxShardBytes) {
        shards.add(current);
        current = new ArrayList<>();
        size = 0;
      }
      current.add(entry);
      size += bytes;
    }
    if (!current.isEmpty() || shards.isEmpty()) {
      shards.add(current);
    }
    return shards;
  }
}
