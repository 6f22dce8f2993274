package org.peft4j.hub;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * What a repository holds at a commit.
 *
 * @param files their paths, with {@code /}
 */
record Listing(String commit, Set<String> files) {
  /** Asks the hub. */
  static Listing of(Requests requests, Endpoint endpoint, Repository repository)
      throws IOException {
    Answer answer =
        requests.get(
            endpoint.model(repository.id(), "revision", repository.revision()),
            "revision " + repository.revision());
    Map<String, ?> model = answer.object();
    Set<String> files = new TreeSet<>();
    if (!(model.get("sha") instanceof String commit)
        || !commit.matches("[0-9a-f]{40}")
        || !(model.get("siblings") instanceof List<?> siblings)) {
      throw answer.malformed("a commit as sha, and the files as siblings");
    }
    for (Object sibling : siblings) {
      if (!(sibling instanceof Map<?, ?> file)
          || !(file.get("rfilename") instanceof String path)
          || !Repository.isRelative(path)) {
        throw answer.malformed("siblings, each with the path of a file as rfilename");
      }
      files.add(path);
    }
    return new Listing(commit, files);
  }
}
