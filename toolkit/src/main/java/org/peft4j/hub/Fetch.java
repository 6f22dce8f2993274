package org.peft4j.hub;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Download;
import org.peft4j.format.Downloads;
import org.peft4j.format.Json;
import org.peft4j.format.Redirects;

/** One repository on its way into the cache. */
final class Fetch {
  private final HubSettings settings;
  private final Repository repository;
  private final Wanted wanted;
  private final Downloads.Progress progress;
  private final Endpoint endpoint;
  private final Requests requests;
  private final CachedRepository cached;

  Fetch(HubSettings settings, Repository repository, Wanted wanted, Downloads.Progress progress) {
    this.settings = settings;
    this.repository = repository;
    this.wanted = wanted;
    this.progress = progress;
    endpoint = new Endpoint(settings.endpoint());
    requests = new Requests(settings, repository.id());
    cached = new CachedRepository(settings, repository);
  }

  /** What is to be loaded. */
  Path run() throws IOException {
    String known =
        repository.isCommit() ? repository.revision() : cached.commit(repository.revision());
    Path old = known == null ? null : whole(known, false);
    if (settings.offline()) {
      if (old == null) {
        throw offline(known);
      }
      return old;
    }
    Path all = known != null && repository.isCommit() ? whole(known, true) : null;
    if (all != null) {
      return all; // a commit never changes
    }
    Listing listing;
    try {
      // with something to fall back to, nobody waits for a network that is not there
      listing = Listing.of(old == null ? requests : requests.once(), endpoint, repository);
    } catch (HubFailure e) {
      if (old == null || e.kind() == HubFailure.Kind.MISSING) {
        throw e;
      }
      return old;
    }
    return fetch(listing);
  }

  private Path fetch(Listing listing) throws IOException {
    String commit = listing.commit();
    Wanted.Choice choice = wanted.of(listing.files(), repository);
    Files.createDirectories(settings.cache());
    cached.tag();
    Set<String> first = new TreeSet<>(choice.files());
    first.removeIf(f -> !Wanted.isIndex(f));
    fetch(commit, first); // what it names is part of the sum that the progress bar shows
    Set<String> rest = new TreeSet<>(choice.files());
    for (String index : first) {
      rest.addAll(shards(commit, index));
    }
    fetch(commit, rest);
    for (String path : choice.absent()) {
      cached.rememberLack(commit, path);
    }
    cached.remember(repository.revision(), commit);
    return cached.snapshot(commit).resolve(choice.at());
  }

  private void fetch(String commit, Collection<String> paths) throws IOException {
    List<RemoteFile> missing = new ArrayList<>();
    long total = 0;
    for (String path : paths) {
      if (!Files.isRegularFile(cached.snapshot(commit).resolve(path))) {
        RemoteFile file = RemoteFile.of(requests, endpoint, repository, commit, path);
        missing.add(file);
        total += Math.max(0, Files.exists(cached.blob(file.hash())) ? 0 : file.length());
      }
    }
    requireRoom(total);
    long done = 0;
    for (RemoteFile file : missing) {
      boolean isNew = !Files.exists(cached.blob(file.hash()));
      if (isNew) {
        download(file, done, total);
        done += Files.size(cached.blob(file.hash()));
      }
      cached.name(file.hash(), commit, file.path(), isNew);
    }
  }

  private void download(RemoteFile file, long before, long total) throws IOException {
    Token token = settings.token();
    String hash = file.hash();
    Download download =
        new Download(
            file.from(),
            cached.blob(hash),
            cached.part(hash),
            cached.lock(hash),
            file.checksum(),
            file.length(),
            token == null || !isEndpoint(file) ? Map.of() : Map.of("Authorization", token.bearer()),
            "try again, it goes on where it stopped; or check the network (proxies:"
                + " -Dhttps.proxyHost, -Dhttps.proxyPort)");
    Downloads.fetch(
        download, (bytes, length) -> progress.at(before + bytes, total), settings.patience());
  }

  private boolean isEndpoint(RemoteFile file) {
    return Redirects.sameOrigin(settings.endpoint(), file.from());
  }

  private void requireRoom(long bytes) throws IOException {
    long room = Files.getFileStore(settings.cache()).getUsableSpace();
    if (room > 0 && bytes > room) { // some file systems do not tell
      throw new IOException(
          Message.of(
              repository,
              "no room at " + settings.cache(),
              Size.text(bytes),
              Size.text(room),
              "make room, with peft cache --clean; or set HF_HUB_CACHE to a folder on another disk"));
    }
  }

  /** The files that an index names. */
  private Set<String> shards(String commit, String index) throws IOException {
    Path file = cached.snapshot(commit).resolve(index);
    String folder = index.contains("/") ? index.substring(0, index.lastIndexOf('/') + 1) : "";
    Set<String> out = new TreeSet<>();
    if (Json.read(file).get("weight_map") instanceof Map<?, ?> map) {
      for (Object name : map.values()) {
        if (!(name instanceof String s) || !Repository.isRelative(s)) {
          throw new IllegalArgumentException(
              Message.of(file, "weight_map", "names of files", String.valueOf(name), null));
        }
        out.add(folder + s);
      }
    }
    return out;
  }

  /**
   * What is to be loaded of a commit if all of it is here; else null.
   *
   * @param certain whether every file must be known to be there or not, which tells that nothing is
   *     left to fetch; without it, what the loader cannot do without is enough
   */
  private @Nullable Path whole(String commit, boolean certain) throws IOException {
    Set<String> here = cached.files(commit);
    Wanted.Choice choice;
    try {
      choice = wanted.of(here, repository);
    } catch (IllegalArgumentException e) {
      return null;
    }
    for (String path : choice.files()) {
      if (Wanted.isIndex(path) && !here.containsAll(shards(commit, path))) {
        return null;
      }
    }
    boolean known = choice.absent().stream().allMatch(path -> cached.lacks(commit, path));
    return certain && !known ? null : cached.snapshot(commit).resolve(choice.at());
  }

  private IOException offline(@Nullable String known) throws IOException {
    Set<String> here = known == null ? Set.of() : cached.files(known);
    return new IOException(
        Message.of(
            repository,
            "not in the cache, and HF_HUB_OFFLINE or PEFT4J_OFFLINE forbids to fetch it",
            "the model or adapter in " + settings.cache(),
            here.isEmpty() ? "nothing of it" : "only " + String.join(", ", here),
            "unset them once, or copy that cache from a machine that has it"));
  }
}
