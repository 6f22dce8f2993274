package org.peft4j.hub;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.stream.Collectors;

/** Addresses of a hub. */
record Endpoint(URI root) {
  /** A page that people open. */
  String page(String id) {
    return root + "/" + id;
  }

  /** {@code /api/...}; the parts are encoded, slashes in them too. */
  URI api(String... parts) {
    return URI.create(
        root
            + "/api/"
            + Arrays.stream(parts).map(Endpoint::encoded).collect(Collectors.joining("/")));
  }

  /** What is told of a repository: {@code /api/models/org/name}, and parts behind it. */
  URI model(String id, String... parts) {
    return URI.create(
        root
            + "/api/models/"
            + id
            + Arrays.stream(parts).map(p -> "/" + encoded(p)).collect(Collectors.joining()));
  }

  /** A file of a repository at a revision. */
  URI file(String id, String revision, String path) {
    String encodedPath =
        Arrays.stream(path.split("/")).map(Endpoint::encoded).collect(Collectors.joining("/"));
    return URI.create(root + "/" + id + "/resolve/" + encoded(revision) + "/" + encodedPath);
  }

  /** Where large files are announced. */
  URI largeFiles(String id) {
    return URI.create(root + "/" + id + ".git/info/lfs/objects/batch");
  }

  /** All but RFC 3986's unreserved characters as their bytes in UTF-8. */
  private static String encoded(String part) {
    StringBuilder out = new StringBuilder();
    for (byte b : part.getBytes(StandardCharsets.UTF_8)) {
      char c = (char) (b & 0xff);
      boolean plain =
          (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9')
              || "-._~".indexOf(c) >= 0;
      out.append(
          plain ? String.valueOf(c) : String.format(java.util.Locale.ROOT, "%%%02X", (int) c));
    }
    return out.toString();
  }
}
