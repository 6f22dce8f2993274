package org.peft4j.cli;

import com.github.freva.asciitable.AsciiTable;
import com.github.freva.asciitable.Column;
import com.github.freva.asciitable.HorizontalAlign;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.peft4j.Models;
import org.peft4j.Peft;
import org.peft4j.Tuned;
import org.peft4j.data.Conversation;
import org.peft4j.data.Conversations;
import org.peft4j.data.Data;
import org.peft4j.model.Pretrained;
import org.peft4j.model.Task;
import org.peft4j.text.Message;
import org.peft4j.train.Fit;
import org.peft4j.train.Schedule;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** A language model before and after it has learned a task. */
@Command(
    name = "teach",
    description = {
      "Teach a language model to answer with one line of JSON, and show what it says before and after.",
      "",
      "LoRA of rank 8 on q and v, 8 rows a step, learning rate 1e-3. The rows are",
      "made up (sentences-to-json), or your own with --train and --test.",
      ""
    },
    mixinStandardHelpOptions = true)
final class TeachCommand implements Callable<Integer> {
  private static final String SYSTEM = "You turn sentences into JSON.";
  private static final int BATCH = 8;
  private static final int ANSWER_TOKENS = 48;

  @Option(
      names = "--model",
      required = true,
      paramLabel = "X",
      description = "A GGUF file, a Hugging Face directory, or hub:org/name.")
  private String name = "";

  @Option(
      names = "--out",
      defaultValue = "taught-adapter",
      paramLabel = "DIR",
      description = "Where to write the adapter; default ${DEFAULT-VALUE}.")
  private Path out = Path.of("taught-adapter");

  @Option(
      names = "--steps",
      defaultValue = "100",
      paramLabel = "N",
      description = "Steps to train; default ${DEFAULT-VALUE}.")
  private int steps;

  @Option(
      names = "--questions",
      defaultValue = "40",
      paramLabel = "N",
      description =
          "Test rows to ask before and after, none of which is trained on; default ${DEFAULT-VALUE}.")
  private int questions;

  @Option(
      names = "--show",
      defaultValue = "4",
      paramLabel = "N",
      description = "Answers to print side by side; default ${DEFAULT-VALUE}.")
  private int show;

  @Option(
      names = "--train",
      paramLabel = "FILE",
      description = "Your own rows: a .jsonl file of prompt and completion, or of messages.")
  private @Nullable Path train;

  @Option(
      names = "--test",
      paramLabel = "FILE",
      description = "Rows like those of --train, to ask.")
  private @Nullable Path test;

  @Option(
      names = "--system",
      paramLabel = "TEXT",
      description = "What the model is told first; default for the made-up rows: " + SYSTEM)
  private @Nullable String system;

  @Option(
      names = "--seed",
      defaultValue = "0",
      paramLabel = "N",
      description = "Seed of the adapter and of the made-up rows; default ${DEFAULT-VALUE}.")
  private long seed;

  @Option(names = "--json", description = "Print one JSON object.")
  private boolean json;

  /** Rows to learn from and rows to be asked. */
  private record Rows(Conversations train, Conversations test) {
    Rows map(UnaryOperator<Conversation> change) {
      return new Rows(
          new Conversations(train.stream().map(change).toList()),
          new Conversations(test.stream().map(change).toList()));
    }
  }

  @Override
  public Integer call() {
    if (steps < 1 || questions < 1) {
      throw new IllegalArgumentException(
          (steps < 1 ? "--steps" : "--questions")
              + ": expected at least 1, found "
              + Math.min(steps, questions));
    }
    Rows rows = rows();
    try (Pretrained model = Models.load(name)) {
      if (model.task() != Task.CAUSAL_LM) {
        throw new IllegalArgumentException(
            "--model: '"
                + model.name()
                + "' does not write text\n"
                + "fix: name a causal language model (architectures that end in ForCausalLM)");
      }
      teach(model, model.tokenizer().hasChatTemplate() ? rows : rows.map(TeachCommand::lines));
    }
    return 0;
  }

  private Rows rows() {
    String first = system;
    if ((train == null) != (test == null)) {
      throw new IllegalArgumentException(
          (train == null ? "--train" : "--test") + ": expected beside the other, found nothing");
    }
    if (train != null && test != null) {
      Conversations asked = Conversations.jsonl(test);
      Rows own =
          new Rows(Conversations.jsonl(train), asked.take(Math.min(questions, asked.size())));
      for (Conversation row : own.test) {
        if (!(row instanceof Conversation.Chat)) {
          throw new IllegalArgumentException(
              test + "\nexpected: rows of prompt and completion, or of messages\nfound: a text");
        }
      }
      return first == null ? own : own.map(row -> row.withSystem(first));
    }
    int learned = Math.multiplyExact(BATCH, steps);
    Conversations all =
        Data.sentencesToJson(Math.addExact(learned, questions), seed)
            .withSystem(first == null ? SYSTEM : first);
    return new Rows(all.take(learned), new Conversations(all.stream().skip(learned).toList()));
  }

  /** Ends every message but the last with a line feed: what a chat template would do. */
  static Conversation lines(Conversation row) {
    if (!(row instanceof Conversation.Chat chat)) {
      return row;
    }
    List<Message> messages = new ArrayList<>(chat.messages());
    for (int i = 0; i < messages.size() - 1; i++) {
      messages.set(i, new Message(messages.get(i).role(), messages.get(i).content() + "\n"));
    }
    return new Conversation.Chat(messages);
  }

  private void teach(Pretrained model, Rows rows) {
    say(model.toString());
    say(
        String.format(
            Locale.ROOT,
            "%,d rows to learn from, %,d others to answer",
            rows.train.size(),
            rows.test.size()));
    Answers before =
        Answers.of(model, model.tokenizer(), rows.test, ANSWER_TOKENS, "answers before");
    say("before: " + figure(before));
    try (Tuned tuned = Peft.lora(model).rank(8).alpha(16).targets("q", "v").seed(seed).apply()) {
      say(tuned.toString());
      Fit fit =
          tuned
              .fit(rows.train)
              .inOrder()
              .batchSize(BATCH)
              .epochs(Math.ceil((double) BATCH * steps / rows.train.size()))
              .maxSteps(steps)
              .learningRate(1e-3)
              .schedule(Schedule.CONSTANT)
              .warmup(0)
              .weightDecay(0)
              .clip(0)
              .run();
      if (fit.ending() == Fit.Ending.INTERRUPTED) {
        throw new IllegalStateException("interrupted; nothing was written");
      }
      say(fit.toString());
      Answers after =
          Answers.of(tuned, model.tokenizer(), rows.test, ANSWER_TOKENS, "answers after");
      say("after: " + figure(after));
      tuned.save(out);
      if (json) {
        print(before, after, tuned, fit);
      } else {
        System.out.println("\n" + table(before, after) + "\n");
        System.out.println("-> " + out + " (Hugging Face PEFT's format)");
      }
    }
  }

  private void say(String line) {
    (json ? System.err : System.out).println(line);
  }

  private static String figure(Answers answers) {
    return String.format(
        Locale.ROOT,
        "exact match %.1f %% (%d of %d)",
        100 * answers.exactMatch(),
        answers.right(),
        answers.all().size());
  }

  private String table(Answers before, Answers after) {
    int n = Math.max(0, Math.min(show, before.all().size()));
    return AsciiTable.getTable(
        AsciiTable.BASIC_ASCII,
        IntStream.range(0, n).boxed().toList(),
        List.of(
            column("asked", 26).with(i -> before.all().get(i).question().strip()),
            column("before", 34).with(i -> before.all().get(i).given().strip()),
            column("after", 34).with(i -> after.all().get(i).given().strip())));
  }

  private static Column column(String header, int width) {
    return new Column()
        .header(header)
        .headerAlign(HorizontalAlign.LEFT)
        .dataAlign(HorizontalAlign.LEFT)
        .maxWidth(width);
  }

  private void print(Answers before, Answers after, Tuned tuned, Fit fit) {
    Map<String, @Nullable Object> line = new LinkedHashMap<>();
    line.put("output", out.toString());
    line.put("questions", (long) before.all().size());
    line.put("exact_match_before", before.exactMatch());
    line.put("exact_match_after", after.exactMatch());
    line.put("trainable", tuned.trainableParameters());
    line.put("steps", (long) fit.steps().size());
    line.put("seconds", fit.seconds());
    line.put("losses", fit.steps().stream().map(s -> (Object) s.loss()).toList());
    List<Object> answers = new ArrayList<>();
    for (int i = 0; i < before.all().size(); i++) {
      Answers.Answer b = before.all().get(i);
      Map<String, @Nullable Object> answer = new LinkedHashMap<>();
      answer.put("question", b.question());
      answer.put("expected", b.expected());
      answer.put("before", b.given());
      answer.put("after", after.all().get(i).given());
      answers.add(answer);
    }
    line.put("answers", answers);
    JsonLine.print(line);
  }
}
