package org.peft4j.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Context;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Init;
import org.peft4j.spi.Operation;
import org.peft4j.tensor.Buffers;

/**
 * Multitask prompt tuning (Wang et al., arXiv 2303.02861): the k virtual tokens of task t are
 * {@code P * (U_t V_t)}, P {@code [k, hidden]} shared by all tasks, U {@code [tasks, k, r]} and V
 * {@code [tasks, r, hidden]}. Which task a text is for is said to the model.
 *
 * @param prompt P, and what it is at first
 * @param tasks number of tasks
 * @param ranks r
 */
public record MultitaskPromptTuning(PromptTuning prompt, int tasks, int ranks) implements Prompt {
  private static final String COLS = "prefix_task_cols";
  private static final String ROWS = "prefix_task_rows";
  private static final String TASKS = "num_tasks";
  private static final String RANKS = "num_ranks";
  private static final String INIT = "prompt_tuning_init";
  private static final double DEVIATION = 0.02;

  /** Starts from the tensors of another file, which a file made so no longer needs. */
  private static final Set<String> FROM_OTHERS =
      Set.of("AVERAGE_SOURCE_TASKS", "EXACT_SOURCE_TASK", "ONLY_SOURCE_SHARED");

  /** 20 random vectors for one task, rank 1. */
  public MultitaskPromptTuning() {
    this(new PromptTuning(), 1, 1);
  }

  public MultitaskPromptTuning {
    Checks.atLeast(TASKS, 1, tasks);
    Checks.atLeast(RANKS, 1, ranks);
  }

  @Override
  public String name() {
    return "multitask_prompt_tuning";
  }

  @Override
  public String peftType() {
    return "MULTITASK_PROMPT_TUNING";
  }

  @Override
  public int tokens() {
    return prompt.tokens();
  }

  @Override
  public void declare(Anatomy model, Declaration theta) {
    if (model.stacks() > 1) {
      throw new IllegalArgumentException(
          "multitask_prompt_tuning is for models of one stack\n"
              + "found: an encoder and a decoder, whose own virtual tokens Hugging Face trains and"
              + " then leaves out of what it generates\n"
              + "fix: use prompt_tuning, one for each task");
    }
    prompt.declare(model, theta);
    theta.trained(COLS, new Shape(tasks, tokens(), ranks), Init.normal(DEVIATION));
    theta.trained(ROWS, new Shape(tasks, ranks, model.hidden()), Init.normal(DEVIATION));
  }

  @Override
  public NDArray vectors(View view) {
    return prompt.vectors(view);
  }

  @Override
  public NDArray embeddings(View view, Context context, NDArray x) {
    boolean alike = view.pass().tasks().size() < 2;
    long[] of = view.pass().tasks(tasks, alike ? 1 : x.getShape().get(0));
    NDArray factors = of(view.get(COLS), of).matMul(of(view.get(ROWS), of));
    NDArray prompts = vectors(view).expandDims(0).mul(factors);
    return (alike ? Virtual.forEach(x, prompts.squeeze(0)) : prompts).concat(x, 1);
  }

  /** Matrices {@code [tasks, a, b]} of these tasks, {@code [n, a, b]}. */
  private static NDArray of(NDArray all, long[] tasks) {
    Shape s = all.getShape();
    NDArray ids = Buffers.create(all.getManager(), tasks, new Shape(tasks.length));
    NDArray flat = all.reshape(s.get(0), s.get(1) * s.get(2));
    return Operation.EMBEDDING.apply(ids, flat, null).reshape(tasks.length, s.get(1), s.get(2));
  }

  // ---- its file

  @Override
  public Shape filedShape(Anatomy model, Declaration.Entry entry) {
    return entry.shape();
  }

  @Override
  public NDArray stored(View view, String tensor) {
    return view.get(tensor);
  }

  @Override
  public NDArray restored(Anatomy model, Declaration.Entry entry, NDArray filed) {
    return filed;
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>(prompt.toConfig());
    c.put("prompt_tuning_init_state_dict_path", Entries.NULL);
    c.put("prompt_tuning_init_task", 0);
    c.put(TASKS, tasks);
    c.put(RANKS, ranks);
    return c;
  }

  static MultitaskPromptTuning fromConfig(Entries c) {
    c.accept(
        "prompt_tuning_init_state_dict_path",
        "prompt_tuning_init_task",
        "prompt_tuning_init_text",
        "tokenizer_name_or_path",
        "tokenizer_kwargs");
    PromptTuning prompt =
        FROM_OTHERS.contains(c.text(INIT, ""))
            ? new PromptTuning(c.integer(Virtual.TOKENS, 20), PromptTuning.Start.RANDOM, null)
            : PromptTuning.fromConfig(c);
    return new MultitaskPromptTuning(prompt, c.integer(TASKS, 1), c.integer(RANKS, 1));
  }

  @Override
  public String summary() {
    return prompt.summary()
        + ", "
        + tasks
        + (tasks == 1 ? " task" : " tasks")
        + " of rank "
        + ranks;
  }

  /** The options, for {@code Peft.multitaskPromptTuning(model)}. */
  public static final class Options<R> extends Fluent<MultitaskPromptTuning, Options<R>, R> {
    private final Function<String, PromptTuning.Text> tokenize;

    private Options(
        Draft<MultitaskPromptTuning, R> draft, Function<String, PromptTuning.Text> tokenize) {
      super(draft, other -> new Options<>(other, tokenize));
      this.tokenize = tokenize;
    }

    /**
     * The options.
     *
     * @param tokenize makes of a text its tokens, as the model has them
     */
    public static <R> Options<R> on(
        Target<R> target, Function<String, PromptTuning.Text> tokenize) {
      return new Options<>(draft(new MultitaskPromptTuning(), target), tokenize);
    }

    private Options<R> with(PromptTuning prompt) {
      return with(new MultitaskPromptTuning(prompt, tuner().tasks, tuner().ranks));
    }

    /** Number of virtual tokens; default 20. */
    public Options<R> tokens(int n) {
      return with(tuner().prompt.withTokens(n));
    }

    /** Number of tasks; default 1. */
    public Options<R> tasks(int n) {
      return with(new MultitaskPromptTuning(tuner().prompt, n, tuner().ranks));
    }

    /** r, the rank of what tells tasks apart; default 1. */
    public Options<R> ranks(int r) {
      return with(new MultitaskPromptTuning(tuner().prompt, tuner().tasks, r));
    }

    /** Starts P from the embeddings of a text's tokens, cut or repeated to fit. */
    public Options<R> fromText(String text) {
      return with(tuner().prompt.from(tokenize.apply(text)));
    }
  }
}
