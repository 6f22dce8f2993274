package org.peft4j.hub;

import java.util.List;

/**
 * What was pushed.
 *
 * @param id {@code org/name}
 * @param url its page
 * @param commit that holds it
 * @param files their paths
 * @param bytes of all of them
 */
public record Pushed(String id, String url, String commit, List<String> files, long bytes) {
  public Pushed {
    files = List.copyOf(files);
  }

  @Override
  public String toString() {
    return url
        + ": commit "
        + commit.substring(0, Math.min(7, commit.length()))
        + ", "
        + files.size()
        + (files.size() == 1 ? " file, " : " files, ")
        + Size.text(bytes);
  }
}
