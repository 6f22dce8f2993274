package org.peft4j.hub;

import java.util.regex.Pattern;

/**
 * A model repository of the hub at a revision: {@code hub:org/name}, {@code hub:org/name@revision},
 * or a file or folder in it, {@code hub:org/name/model-q4.gguf}.
 *
 * @param id {@code org/name}, or one name alone, as a few old ones have
 * @param path of a file or folder inside, with {@code /}; empty for the whole
 * @param revision a branch, a tag or a commit
 */
public record Repository(String id, String path, String revision) {
  /** What names of repositories begin with, where paths and other names are taken too. */
  public static final String PREFIX = "hub:";

  private static final String MAIN = "main";
  private static final String PART = "[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?";
  private static final Pattern ID = Pattern.compile(PART + "(?:/" + PART + ")?");
  private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");
  private static final int LONGEST_ID = 96;

  public Repository {
    if (!ID.matcher(id).matches()
        || id.length() > LONGEST_ID
        || id.contains("--")
        || id.contains("..")
        || id.endsWith(".git")) {
      throw wrong(id, "org/name, of letters, digits, '-', '_' and '.'");
    }
    if (!isRelative(path) && !path.isEmpty()) {
      throw wrong(path, "the path of a file or folder in " + id);
    }
    if (!isRelative(revision)) {
      throw wrong(revision, "a branch, a tag or a commit of " + id);
    }
  }

  /** Whether {@code name} names a repository, and not a path or a model known by name. */
  public static boolean isNamedBy(String name) {
    return name.startsWith(PREFIX);
  }

  /** The default branch of a repository. */
  public static Repository of(String id) {
    return new Repository(id, "", MAIN);
  }

  /**
   * Reads {@code hub:org/name}, with {@code /path} and {@code @revision} behind it; {@code hub:}
   * may be missing.
   *
   * @throws IllegalArgumentException when it is none
   */
  public static Repository parse(String name) {
    String rest = isNamedBy(name) ? name.substring(PREFIX.length()) : name;
    int at = rest.indexOf('@');
    String revision = at < 0 ? MAIN : rest.substring(at + 1);
    String[] parts = (at < 0 ? rest : rest.substring(0, at)).split("/", 3);
    String id = parts.length == 1 ? parts[0] : parts[0] + "/" + parts[1];
    return new Repository(id, parts.length < 3 ? "" : parts[2], revision);
  }

  /** Whether the revision is a commit, whose content never changes. */
  boolean isCommit() {
    return COMMIT.matcher(revision).matches();
  }

  /** The name of its folder in the cache. */
  String folderName() {
    return "models--" + id.replace("/", "--");
  }

  /** Whether a name from outside is that of something below a folder. */
  static boolean isRelative(String path) {
    if (path.isEmpty() || path.startsWith("/") || path.matches("(?s).*[\\\\:\\p{Cntrl}].*")) {
      return false;
    }
    for (String part : path.split("/", -1)) {
      if (part.isEmpty() || part.equals(".") || part.equals("..")) {
        return false;
      }
    }
    return true;
  }

  private static IllegalArgumentException wrong(String found, String expected) {
    return new IllegalArgumentException(
        Message.of(
            "hub", "not a repository's name", expected, "'" + Message.quote(found) + "'", null));
  }

  @Override
  public String toString() {
    return PREFIX
        + id
        + (path.isEmpty() ? "" : "/" + path)
        + (revision.equals(MAIN) ? "" : "@" + revision);
  }
}
