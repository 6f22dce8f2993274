package org.peft4j.hub;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import org.peft4j.format.Downloads;

/**
 * Models and adapters of the Hugging Face hub, in the cache that its Python library shares: what
 * either has fetched, the other finds. Only the files that are read here are fetched; a download
 * that breaks off goes on where it stopped; contents are checked against their hashes.
 */
public final class Hub {
  private Hub() {}

  /**
   * The folder, or GGUF file, of a model, fetched unless the cache has it as the hub has it now.
   * Without a network, or with {@code HF_HUB_OFFLINE} or {@code PEFT4J_OFFLINE}, it is as it was
   * when it was fetched last.
   *
   * @throws UncheckedIOException that says what failed and what to do
   * @throws IllegalArgumentException when the repository holds no model that could be loaded
   */
  public static Path model(Repository repository) {
    return fetch(repository, Wanted.MODEL);
  }

  /** Like {@link #model}, with {@code config.json} alone. */
  public static Path configuration(Repository repository) {
    return fetch(repository, Wanted.CONFIGURATION);
  }

  /** Like {@link #model}, for an adapter in Hugging Face PEFT's format. */
  public static Path adapter(Repository repository) {
    return fetch(repository, Wanted.ADAPTER);
  }

  /**
   * Pushes a folder that holds an adapter or a model: makes the repository if it is not there,
   * uploads what it has not got, and makes one commit of all.
   *
   * @param name {@code org/name}, or a name alone for one of the token's owner
   * @throws UncheckedIOException that says what failed and what to do
   */
  public static Pushed push(Path folder, String name, Push how) {
    try (Downloads.Progress progress = Downloads.Progress.shown("-> " + name)) {
      return new Upload(HubSettings.current(), folder, name, how, progress).run();
    } catch (IOException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
  }

  private static Path fetch(Repository repository, Wanted wanted) {
    try (Downloads.Progress progress = Downloads.Progress.shown(repository.id())) {
      return new Fetch(HubSettings.current(), repository, wanted, progress).run();
    } catch (IOException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
  }
}
