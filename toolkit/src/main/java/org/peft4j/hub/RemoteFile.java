package org.peft4j.hub;

import java.io.IOException;
import java.net.URI;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Checksum;

/**
 * What the hub says about a file.
 *
 * @param hash its tag: what the content hashes to, and its name in the cache
 * @param length in bytes; -1 where it is not said
 * @param from where to fetch it
 */
record RemoteFile(String path, String hash, long length, URI from) {
  /** Asks the hub. */
  static RemoteFile of(
      Requests requests, Endpoint endpoint, Repository repository, String commit, String path)
      throws IOException {
    URI uri = endpoint.file(repository.id(), commit, path);
    Answer answer = requests.head(uri, "file " + path + " at " + commit);
    // of a large file, the headers without Linked are those of the redirect
    String linked = answer.header("X-Linked-ETag");
    String tag = linked != null ? linked : answer.header("ETag");
    String hash = tag == null ? "" : tag.replaceFirst("^W/", "").replace("\"", "");
    if (!hash.matches("[A-Za-z0-9][A-Za-z0-9._-]{0,200}")) {
      throw new IOException(
          Message.of(
              uri,
              "not what a hub answers",
              "an ETag that names the content",
              tag == null ? "none" : Message.quote(tag),
              "check HF_ENDPOINT, and proxies in between"));
    }
    String length = answer.header("X-Linked-Size");
    if (length == null && answer.status() == 200) {
      length = answer.header("Content-Length");
    }
    return new RemoteFile(
        path,
        hash,
        length != null && length.matches("\\d{1,18}") ? Long.parseLong(length) : -1,
        answer.at());
  }

  /** What the content hashes to, where the tag is one of the hashes that the hub uses. */
  @Nullable Checksum checksum() {
    return hash.matches("[0-9a-f]{64}")
        ? Checksum.sha256(hash)
        : hash.matches("[0-9a-f]{40}") ? Checksum.gitBlob(hash) : null;
  }
}
