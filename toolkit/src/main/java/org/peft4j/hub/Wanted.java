package org.peft4j.hub;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** What is fetched of a repository: the files that our loaders read, and no others. */
enum Wanted {
  /** A model: configuration, weights, tokenizer. */
  MODEL("config.json"),
  /** A model without its weights. */
  CONFIGURATION("config.json"),
  /** An adapter of Hugging Face PEFT. */
  ADAPTER("adapter_config.json");

  private static final String GGUF = ".gguf";
  private static final String INDEX = ".index.json";
  private static final String ADAPTER_CONFIG = "adapter_config.json";

  /** The first that is there is the model; pickles only where there is nothing else. */
  private static final List<String> MODEL_WEIGHTS =
      List.of(
          "model.safetensors",
          "model.safetensors" + INDEX,
          "pytorch_model.bin",
          "pytorch_model.bin" + INDEX);

  private static final List<String> ADAPTER_WEIGHTS =
      List.of("adapter_model.safetensors", "adapter_model.bin");
  private static final List<String> BESIDE_A_MODEL =
      List.of(
          "tokenizer.json",
          "tokenizer_config.json",
          "special_tokens_map.json",
          "generation_config.json",
          "chat_template.jinja",
          "chat_template.json",
          "modules.json",
          "sentence_bert_config.json");
  private static final List<String> BESIDE_AN_ADAPTER = List.of("peft4j.json");
  private static final Pattern MORE =
      Pattern.compile("additional_chat_templates/[^/]+\\.jinja|\\d+_Pooling/config\\.json");

  private final String configuration;

  Wanted(String configuration) {
    this.configuration = configuration;
  }

  /**
   * What to fetch.
   *
   * @param files their paths; of shards, the index alone
   * @param absent what would have been fetched too, had it been there
   * @param at the file or folder to load, relative to the repository; empty for the whole
   */
  record Choice(Set<String> files, Set<String> absent, String at) {}

  /** Which of a repository's files. */
  Choice of(Set<String> files, Repository repository) {
    String path = repository.path();
    if (path.endsWith(GGUF)) {
      require(files.contains(path), repository, path, files);
      return new Choice(Set.of(path), Set.of(), path);
    }
    String folder = path.isEmpty() ? "" : path + "/";
    if (this == MODEL && !files.contains(folder + configuration)) {
      String gguf = onlyGguf(files, folder, repository);
      return new Choice(Set.of(gguf), Set.of(), gguf);
    }
    require(files.contains(folder + configuration), repository, folder + configuration, files);
    Set<String> chosen = new TreeSet<>();
    Set<String> absent = new TreeSet<>();
    chosen.add(folder + configuration);
    for (String name : beside()) {
      (files.contains(folder + name) ? chosen : absent).add(folder + name);
    }
    if (this == MODEL) {
      files.stream()
          .filter(f -> f.startsWith(folder) && MORE.matcher(f.substring(folder.length())).matches())
          .forEach(chosen::add);
    }
    addWeights(files, folder, repository, chosen, absent);
    return new Choice(chosen, absent, path);
  }

  private List<String> beside() {
    return switch (this) {
      case MODEL -> BESIDE_A_MODEL;
      case CONFIGURATION -> List.of();
      case ADAPTER -> BESIDE_AN_ADAPTER;
    };
  }

  private void addWeights(
      Set<String> files,
      String folder,
      Repository repository,
      Set<String> chosen,
      Set<String> absent) {
    if (this == CONFIGURATION) {
      return;
    }
    List<String> weights = this == MODEL ? MODEL_WEIGHTS : ADAPTER_WEIGHTS;
    for (String name : weights) {
      if (files.contains(folder + name)) {
        chosen.add(folder + name);
        return;
      }
      absent.add(folder + name);
    }
    throw missing(
        repository, "no weights that can be loaded", folder + String.join(" or ", weights), files);
  }

  private static String onlyGguf(Set<String> files, String folder, Repository repository) {
    List<String> found =
        files.stream().filter(f -> f.startsWith(folder) && f.endsWith(GGUF)).toList();
    if (found.size() == 1) {
      return found.get(0);
    }
    if (!found.isEmpty()) {
      throw new IllegalArgumentException(
          Message.of(
              repository,
              "several models",
              "config.json, or one GGUF file",
              String.join(", ", found),
              "name one, such as " + Repository.PREFIX + repository.id() + "/" + found.get(0)));
    }
    if (files.contains(folder + ADAPTER_CONFIG)) {
      throw new IllegalArgumentException(
          Message.of(
              repository,
              "an adapter, no model",
              "config.json, or a GGUF file",
              ADAPTER_CONFIG,
              "load the model that it was trained on, and this onto it: Peft.load(model, \""
                  + repository
                  + "\")"));
    }
    throw missing(repository, "no model", "config.json, or a GGUF file", files);
  }

  private static void require(
      boolean is, Repository repository, String expected, Set<String> files) {
    if (!is) {
      throw missing(repository, "a file is missing", expected, files);
    }
  }

  private static IllegalArgumentException missing(
      Repository repository, String what, String expected, Set<String> files) {
    List<String> some = files.stream().limit(20).toList();
    String found =
        some.isEmpty()
            ? "no files"
            : String.join(", ", some)
                + (files.size() > some.size()
                    ? ", and " + (files.size() - some.size()) + " more"
                    : "");
    return new IllegalArgumentException(Message.of(repository, what, expected, found, null));
  }

  /** Whether a file names others that belong to it. */
  static boolean isIndex(String path) {
    return path.endsWith(INDEX);
  }
}
