package org.peft4j.cli;

import ai.djl.nn.Block;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.peft4j.Models;
import org.peft4j.Tuned;
import org.peft4j.export.OnnxModel;
import org.peft4j.generate.Generated;
import org.peft4j.generate.Generator;
import org.peft4j.generate.Sampling;
import org.peft4j.hub.Repository;
import org.peft4j.model.Pretrained;
import org.peft4j.model.Task;
import org.peft4j.text.Message;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Lets a language model write. */
@Command(
    name = "generate",
    description = {
      "Answer a prompt with a language model, streamed as it is written.",
      "A graph with its tokenizer, as export writes into a folder, runs in ONNX Runtime, with an"
          + " .onnx_adapter where it has places for it."
    },
    mixinStandardHelpOptions = true)
final class GenerateCommand implements Callable<Integer> {
  @Mixin private ModelOptions options = new ModelOptions();

  @Option(names = "--prompt", required = true, description = "What the model is asked.")
  private String prompt = "";

  @Option(names = "--system", description = "What the model is told first.")
  private @Nullable String system;

  @Option(
      names = "--raw",
      description = "Continue the prompt as it stands, without the model's chat template.")
  private boolean raw;

  @Option(
      names = "--max-tokens",
      defaultValue = "256",
      paramLabel = "N",
      description = "At most so many new tokens; default ${DEFAULT-VALUE}.")
  private int maxTokens;

  @Option(
      names = "--greedy",
      description = "Take the best token at every step; the default without the options below.")
  private boolean greedy;

  @Option(names = "--temperature", paramLabel = "T", description = "Draw, at this temperature.")
  private @Nullable Double temperature;

  @Option(names = "--top-k", paramLabel = "K", description = "Draw from the best K tokens.")
  private @Nullable Integer topK;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      description = "Draw from the best tokens whose probabilities reach P.")
  private @Nullable Double topP;

  @Option(
      names = "--min-p",
      paramLabel = "P",
      description = "Draw from tokens with at least P times the best one's probability.")
  private @Nullable Double minP;

  @Option(
      names = "--repetition-penalty",
      defaultValue = "1",
      paramLabel = "R",
      description = "Divide scores of tokens seen before; default ${DEFAULT-VALUE}, none.")
  private double penalty;

  @Option(
      names = "--seed",
      defaultValue = "0",
      paramLabel = "N",
      description = "Seed of what is drawn; default ${DEFAULT-VALUE}.")
  private long seed;

  @Option(names = "--stop", paramLabel = "TEXT", description = "End before this text; repeatable.")
  private String[] stop = {};

  @Option(
      names = "--beams",
      defaultValue = "1",
      paramLabel = "N",
      description = "Search with so many beams; default ${DEFAULT-VALUE}, none.")
  private int beams;

  @Option(
      names = "--length-penalty",
      defaultValue = "1",
      paramLabel = "P",
      description = "With beams: above 0 favours long texts; default ${DEFAULT-VALUE}.")
  private double lengthPenalty;

  @Option(
      names = "--early-stopping",
      description = "With beams: stop as soon as as many texts as beams have ended.")
  private boolean earlyStopping;

  @Option(names = "--json", description = "Print one JSON object instead.")
  private boolean json;

  @Override
  public Integer call() {
    if (!Repository.isNamedBy(options.model) && OnnxModel.isAt(Path.of(options.model))) {
      try (OnnxModel graph = OnnxModel.load(Path.of(options.model))) {
        return write(adapted(graph).generator(), raw || !graph.hasChatTemplate());
      }
    }
    Block model = options.adapter == null ? options.load() : options.tuned();
    return write(Models.generator(model), plain(model));
  }

  private OnnxModel adapted(OnnxModel graph) {
    String adapter = options.adapter;
    if (adapter == null) {
      return graph;
    }
    if (Repository.isNamedBy(adapter) || Files.isDirectory(Path.of(adapter))) {
      throw new IllegalArgumentException(
          "--adapter\nexpected: an .onnx_adapter file, for a graph\nfound: the adapter "
              + adapter
              + "\nfix: peft export --model X --adapter "
              + adapter
              + " --out NAME.onnx_adapter, X what the graph was made of");
    }
    return graph.adapter("it", Path.of(adapter)).use("it");
  }

  private int write(Generator chosen, boolean plain) {
    Generator generator =
        chosen
            .maxTokens(maxTokens)
            .sampling(sampling())
            .seed(seed)
            .stop(stop)
            .beams(beams)
            .lengthPenalty(lengthPenalty)
            .earlyStopping(earlyStopping);
    boolean streams = !json && beams == 1;
    if (streams) {
      generator =
          generator.stream(
              piece -> {
                System.out.print(piece);
                System.out.flush();
              });
    }
    Generated answer = plain ? generator.complete(prompt) : generator.chat(messages());
    if (json) {
      Map<String, @Nullable Object> line = new LinkedHashMap<>();
      line.put("text", answer.text());
      line.put("tokens", answer.tokens());
      line.put("tokens_per_second", answer.tokensPerSecond());
      JsonLine.print(line);
    } else {
      System.out.println(streams ? "" : answer.text());
      System.err.println(answer.summary());
    }
    return 0;
  }

  /** Whether the prompt is read as it stands: where told so, or an encoder reads it. */
  private boolean plain(Block model) {
    Pretrained base = model instanceof Tuned tuned ? tuned.model() : (Pretrained) model;
    return raw
        || (system == null
            && base.task() == Task.SEQ2SEQ_LM
            && !base.tokenizer().hasChatTemplate());
  }

  private List<Message> messages() {
    List<Message> out = new ArrayList<>();
    if (system != null) {
      out.add(Message.system(system));
    }
    out.add(Message.user(prompt));
    return out;
  }

  private Sampling sampling() {
    boolean draws = temperature != null || topK != null || topP != null || minP != null;
    if (greedy && draws) {
      throw new IllegalArgumentException(
          "--greedy: expected alone, found with an option that asks for drawing");
    }
    double t = temperature != null ? temperature : draws ? 1 : 0;
    return new Sampling(
        t, topK == null ? 0 : topK, topP == null ? 1 : topP, minP == null ? 0 : minP, penalty);
  }
}
