package org.peft4j.hub;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Checksum;

/**
 * A file to push.
 *
 * @param path in the repository
 * @param file on this disk
 * @param text what is pushed instead of the file's own content; null for that
 */
record Payload(String path, Path file, @Nullable String text) {
  private static final int SAMPLE = 512;

  /** The files of a folder, hidden ones left out. */
  static List<Payload> of(Path folder, String id, Push how) throws IOException {
    List<Payload> out = new ArrayList<>();
    try (Stream<Path> all = Files.walk(folder)) {
      for (Path file : all.filter(Files::isRegularFile).sorted().toList()) {
        String path = folder.relativize(file).toString().replace('\\', '/');
        if (!("/" + path).contains("/.")) {
          out.add(new Payload(path, file, Card.fitted(path, file, id, how.metrics())));
        }
      }
    }
    return out;
  }

  long size() throws IOException {
    return text == null ? Files.size(file) : utf8(text).length;
  }

  /** The first bytes, by which the hub tells texts from others. */
  String sample() throws IOException {
    byte[] start;
    if (text != null) {
      byte[] all = utf8(text);
      start = Arrays.copyOf(all, Math.min(SAMPLE, all.length));
    } else {
      try (var in = Files.newInputStream(file)) {
        start = in.readNBytes(SAMPLE);
      }
    }
    return Base64.getEncoder().encodeToString(start);
  }

  String base64() throws IOException {
    return Base64.getEncoder().encodeToString(text == null ? Files.readAllBytes(file) : utf8(text));
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  String sha256() throws IOException {
    return Checksum.of(Checksum.Kind.SHA_256, file).hex();
  }
}
