package org.peft4j.hub;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Downloads;

/**
 * Git's protocol for large files: announce them, put those that the hub has not got to where it
 * says, whole or in parts, and have them verified.
 */
final class LargeFiles {
  private static final String TYPE = "application/vnd.git-lfs+json";
  private static final Map<String, String> HEADERS = Map.of("Accept", TYPE, "Content-Type", TYPE);
  private static final String PUBLIC = "https://huggingface.co/";

  private final HubSettings settings;
  private final Requests requests;
  private final String id;
  private final String branch;
  private final Downloads.Progress progress;
  private long done;
  private long total;

  LargeFiles(
      HubSettings settings,
      Requests requests,
      String id,
      String branch,
      Downloads.Progress progress) {
    this.settings = settings;
    this.requests = requests;
    this.id = id;
    this.branch = branch;
    this.progress = progress;
  }

  /**
   * Uploads what is not there.
   *
   * @param hashes SHA-256 of each, by its path
   */
  void upload(List<Payload> files, Map<String, String> hashes) throws IOException {
    Map<String, Payload> byHash = new LinkedHashMap<>();
    for (Payload file : files) {
      byHash.put(hash(file, hashes), file);
    }
    List<Object> objects = new ArrayList<>();
    for (Map.Entry<String, Payload> e : byHash.entrySet()) {
      objects.add(Map.of("oid", e.getKey(), "size", e.getValue().size()));
    }
    Map<String, Object> batch = new LinkedHashMap<>();
    batch.put("operation", "upload");
    batch.put("transfers", List.of("basic", "multipart"));
    batch.put("objects", objects);
    batch.put("hash_algo", "sha256");
    batch.put("ref", Map.of("name", branch));
    Answer answer =
        requests.post(
            new Endpoint(settings.endpoint()).largeFiles(id),
            batch,
            HEADERS,
            "announcing large files");
    if (!(answer.object().get("objects") instanceof List<?> told)) {
      throw answer.malformed("objects");
    }
    Map<Payload, Map<?, ?>> wanted = wanted(told, byHash, answer);
    for (Payload file : wanted.keySet()) {
      total += file.size();
    }
    for (Map.Entry<Payload, Map<?, ?>> e : wanted.entrySet()) {
      put(e.getKey(), hash(e.getKey(), hashes), e.getValue(), answer);
    }
  }

  /** What the hub has not got, with what to do about each. */
  private Map<Payload, Map<?, ?>> wanted(List<?> told, Map<String, Payload> byHash, Answer answer)
      throws IOException {
    Map<Payload, Map<?, ?>> out = new LinkedHashMap<>();
    for (Object o : told) {
      Payload file = o instanceof Map<?, ?> m ? byHash.get(String.valueOf(m.get("oid"))) : null;
      if (file == null || !(o instanceof Map<?, ?> object)) {
        throw answer.malformed("objects, each with the oid of one that was announced");
      }
      if (object.get("error") instanceof Map<?, ?> error) {
        throw new IOException(
            Message.of(
                id,
                file.path() + " was refused",
                "a place to put it",
                Message.quote(String.valueOf(error.get("message"))),
                null));
      }
      if (object.get("actions") instanceof Map<?, ?> actions) {
        out.put(file, actions);
      }
    }
    return out;
  }

  private void put(Payload file, String hash, Map<?, ?> actions, Answer answer) throws IOException {
    if (!(actions.get("upload") instanceof Map<?, ?> upload)
        || !(upload.get("href") instanceof String href)) {
      throw answer.malformed("actions with the href of an upload");
    }
    Map<?, ?> header = upload.get("header") instanceof Map<?, ?> h ? h : Map.of();
    Object chunk = header.get("chunk_size");
    if (chunk == null) {
      putPart(address(href, answer), file, 0, file.size(), headers(header));
    } else {
      putParts(file, hash, href, header, String.valueOf(chunk), answer);
    }
    if (actions.get("verify") instanceof Map<?, ?> verify) {
      if (!(verify.get("href") instanceof String check)) {
        throw answer.malformed("actions with the href of a verification");
      }
      requests.post(
          address(check, answer),
          Map.of("oid", hash, "size", file.size()),
          HEADERS,
          "verifying " + file.path());
    }
  }

  private void putParts(
      Payload file, String hash, String href, Map<?, ?> header, String chunk, Answer answer)
      throws IOException {
    Map<Integer, String> addresses = new TreeMap<>();
    header.forEach(
        (key, value) -> {
          if (String.valueOf(key).matches("\\d{1,9}")) {
            addresses.put(Integer.parseInt(String.valueOf(key)), String.valueOf(value));
          }
        });
    long size = chunk.matches("[1-9]\\d{0,17}") ? Long.parseLong(chunk) : 0;
    if (size == 0 || addresses.size() != (file.size() + size - 1) / size) {
      throw answer.malformed("a chunk_size, and an address for each of the parts");
    }
    List<Object> parts = new ArrayList<>();
    for (String address : addresses.values()) {
      long from = parts.size() * size;
      long length = Math.min(size, file.size() - from);
      Answer put = putPart(address(address, answer), file, from, length, Map.of());
      String tag = put.header("ETag");
      if (tag == null) {
        throw put.malformed("an ETag of the part");
      }
      parts.add(Map.of("partNumber", parts.size() + 1, "etag", tag));
    }
    requests.post(
        address(href, answer),
        Map.of("oid", hash, "parts", parts),
        HEADERS,
        "joining the parts of " + file.path());
  }

  private Answer putPart(URI to, Payload file, long from, long length, Map<String, String> headers)
      throws IOException {
    long before = done;
    Answer answer =
        requests.send(
            to,
            "PUT",
            () ->
                BodyPublishers.fromPublisher(
                    BodyPublishers.ofInputStream(
                        () ->
                            new FilePart(
                                file.file(), from, length, n -> progress.at(before + n, total))),
                    length),
            length,
            headers,
            "uploading " + file.path());
    done += length;
    return answer;
  }

  private static Map<String, String> headers(Map<?, ?> given) {
    Map<String, String> out = new LinkedHashMap<>();
    given.forEach(
        (key, value) -> {
          String name = String.valueOf(key);
          if (!name.matches("(?i)content-length|host|transfer-encoding|connection")) {
            out.put(name, String.valueOf(value));
          }
        });
    return out;
  }

  /** A mirror of the hub may name the hub's own addresses. */
  private URI address(String href, Answer answer) {
    String root = settings.endpoint() + "/";
    String at = href.startsWith(PUBLIC) ? root + href.substring(PUBLIC.length()) : href;
    try {
      URI uri = answer.at().resolve(at);
      boolean plain = "http".equals(uri.getScheme());
      if (uri.getHost() != null
          && ("https".equals(uri.getScheme())
              || (plain && "http".equals(settings.endpoint().getScheme())))) {
        return uri;
      }
    } catch (IllegalArgumentException e) {
      // said below
    }
    throw answer.malformed("addresses");
  }

  private static String hash(Payload file, Map<String, String> hashes) {
    @Nullable String hash = hashes.get(file.path());
    if (hash == null) {
      throw new IllegalStateException(file.path() + " was not hashed");
    }
    return hash;
  }
}
