package org.peft4j.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Init;
import org.peft4j.spi.OwnTokens;
import org.peft4j.tensor.Buffers;

/**
 * Context-aware prompt tuning (Blau et al., arXiv 2410.17222): solved examples in front of every
 * text, their embeddings {@code E + D}, E {@code [k, hidden]} the model's own and D trained. After
 * every update a row of D longer than {@code bound sqrt(hidden / 2048)} is cut to that length. The
 * rows of labels stay E's; a language model learns to give these labels, those of the i-th last
 * example with weight {@code decay^i}, beside what it learns of the text.
 *
 * @param ids the k tokens
 * @param types what each is, modulo 4: 1 format before an input, 2 input, 3 format before a label,
 *     0 label, with 4 more for every example; 0 itself for a token that is neither learned nor
 *     changed
 * @param decay in (0, 1], or null for weights of 1
 * @param inputBound of rows of inputs
 * @param formatBound of rows of format
 */
public record Cpt(
    List<Integer> ids,
    List<Integer> types,
    @Nullable Double decay,
    double inputBound,
    double formatBound)
    implements Prompt {
  private static final String D = "delta_embedding.weight";
  private static final String IDS = "cpt_token_ids";
  private static final String TYPES = "cpt_tokens_type_mask";
  private static final String WEIGHTED = "opt_weighted_loss_type";
  private static final String DECAY = "opt_loss_decay_factor";
  private static final String INPUT = "opt_projection_epsilon";
  private static final String FORMAT = "opt_projection_format_epsilon";
  private static final int KINDS = 4;
  private static final double USUAL_WIDTH = 2048;

  /** The row of a label is left as it is, up to this. */
  private static final double NOTHING = 1e-10;

  /** One token, number 0, as format. */
  public Cpt() {
    this(List.of(0), List.of(1), null, 0.1, 0.1);
  }

  public Cpt {
    ids = List.copyOf(ids);
    types = List.copyOf(types);
    Checks.atLeast(IDS, 1, ids.size());
    if (types.size() != ids.size() || types.stream().anyMatch(t -> t < 0)) {
      throw new IllegalArgumentException(
          TYPES
              + "\nexpected: a number from 0 on for each of "
              + ids.size()
              + " tokens\nfound: "
              + types);
    }
    if (decay != null && !(decay > 0 && decay <= 1)) {
      throw new IllegalArgumentException(DECAY + "\nexpected: in (0, 1]\nfound: " + decay);
    }
    if (!(inputBound >= 0 && formatBound >= 0)) {
      throw new IllegalArgumentException(
          INPUT
              + ", "
              + FORMAT
              + "\nexpected: lengths of at least 0\nfound: "
              + inputBound
              + " and "
              + formatBound);
    }
  }

  @Override
  public String name() {
    return "cpt";
  }

  @Override
  public String peftType() {
    return "CPT";
  }

  @Override
  public int tokens() {
    return ids.size();
  }

  @Override
  public void declare(Anatomy model, Declaration theta) {
    if (model.stacks() > 1) {
      throw new IllegalArgumentException(
          "cpt is for models of one stack\nfound: an encoder and a decoder\nfix: use prompt_tuning");
    }
    long words = model.embeddings().shape().get(0);
    if (ids.stream().anyMatch(id -> id < 0 || id >= words)) {
      throw new IllegalArgumentException(
          IDS + "\nexpected: tokens of the model, from 0 to " + (words - 1) + "\nfound: " + ids);
    }
    Shape shape = new Shape(tokens(), model.hidden());
    List<Long> rows = ids.stream().map(Integer::longValue).toList();
    theta.saved(EMBEDDINGS, shape, (c, s) -> Virtual.rows(c, tokens(), rows::get));
    theta.folded(D, shape, Init.ZEROS);
  }

  private static boolean isLabel(int type) {
    return type > 0 && type % KINDS == 0;
  }

  private double bound(int type) {
    return switch (type % KINDS) {
      case 0 -> 0;
      case 2 -> inputBound;
      default -> formatBound;
    };
  }

  /** A number for each token, {@code [k, 1]}. */
  private NDArray each(NDArray like, Function<Integer, Double> number) {
    double[] all = types.stream().mapToDouble(number::apply).toArray();
    return Buffers.create(like.getManager(), all, new Shape(all.length, 1))
        .toType(like.getDataType(), false);
  }

  @Override
  public NDArray vectors(View view) {
    NDArray d = view.get(D);
    boolean all = types.stream().noneMatch(t -> t % KINDS == 0);
    return view.get(EMBEDDINGS).add(all ? d : d.mul(each(d, t -> t % KINDS == 0 ? 0.0 : 1.0)));
  }

  // ---- training

  @Override
  public boolean scheduled() {
    return true;
  }

  @Override
  public void afterStep(View view, long step, long total) {
    NDArray d = view.get(D);
    double scale = Math.sqrt(view.model().hidden() / USUAL_WIDTH);
    NDArray bounds = each(d, t -> Math.max(NOTHING, bound(t) * scale));
    NDArray lengths = d.square().sum(new int[] {1}, true).sqrt();
    Buffers.copy(d.mul(bounds).div(lengths.maximum(bounds)), d);
  }

  @Override
  public OwnTokens ownTokens() {
    List<Integer> labels =
        new ArrayList<>(new TreeSet<>(types.stream().filter(Cpt::isLabel).toList()));
    Collections.reverse(labels);
    double each = decay == null ? 1 : decay;
    return new OwnTokens(
        ids,
        types.stream().map(t -> isLabel(t) ? Math.pow(each, labels.indexOf(t) + 1.0) : 0).toList());
  }

  // ---- its file has E + D

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put(Virtual.TOKENS, tokens());
    c.put(IDS, ids.stream().map(Integer::longValue).toList());
    c.put("cpt_mask", Collections.nCopies(tokens(), 1L));
    c.put(TYPES, types.stream().map(Integer::longValue).toList());
    c.put(WEIGHTED, decay == null ? "none" : "decay");
    c.put(DECAY, decay == null ? 1.0 : decay);
    c.put(INPUT, inputBound);
    c.put(FORMAT, formatBound);
    c.put("tokenizer_name_or_path", Entries.NULL);
    return c;
  }

  static Cpt fromConfig(Entries c) {
    c.accept("cpt_mask", "tokenizer_name_or_path");
    List<Integer> ids = c.integers(IDS);
    List<Integer> types = c.integers(TYPES);
    String weighted = c.text(WEIGHTED, "none");
    if (!List.of("none", "decay").contains(weighted)) {
      throw new IllegalArgumentException(
          WEIGHTED + "\nexpected: none or decay\nfound: " + weighted);
    }
    if (c.integer(Virtual.TOKENS, ids.size()) != ids.size()) {
      throw new IllegalArgumentException(
          Virtual.TOKENS
              + "\nexpected: the number of "
              + IDS
              + ", "
              + ids.size()
              + "\nfound: "
              + c.integer(Virtual.TOKENS, 0));
    }
    double decay = c.number(DECAY, 1);
    return new Cpt(
        ids,
        types.isEmpty() ? Collections.nCopies(ids.size(), 1) : types,
        weighted.equals("decay") ? decay : null,
        c.number(INPUT, 0.1),
        c.number(FORMAT, 0.1));
  }

  @Override
  public String summary() {
    long examples = types.stream().filter(Cpt::isLabel).distinct().count();
    return tokens()
        + (tokens() == 1 ? " token" : " tokens")
        + (examples > 0 ? " of " + examples + (examples == 1 ? " example" : " examples") : "")
        + ", changed by at most "
        + inputBound
        + (formatBound == inputBound ? "" : ", format " + formatBound)
        + (decay == null ? "" : ", decay " + decay);
  }

  /** The options, for {@code Peft.cpt(model)}. */
  public static final class Options<R> extends Fluent<Cpt, Options<R>, R> {
    private final Function<String, List<Integer>> tokenize;
    private final String beforeInput;
    private final String beforeLabel;

    private Options(
        Draft<Cpt, R> draft,
        Function<String, List<Integer>> tokenize,
        String beforeInput,
        String beforeLabel) {
      super(draft, other -> new Options<>(other, tokenize, beforeInput, beforeLabel));
      this.tokenize = tokenize;
      this.beforeInput = beforeInput;
      this.beforeLabel = beforeLabel;
    }

    /**
     * The options.
     *
     * @param tokenize makes of a text its tokens, without special ones
     */
    public static <R> Options<R> on(Target<R> target, Function<String, List<Integer>> tokenize) {
      return new Options<>(draft(new Cpt(), target), tokenize, "\nInput: ", "\nOutput: ");
    }

    /**
     * What stands before the inputs and labels of the examples that follow; default {@code
     * "\nInput: "} and {@code "\nOutput: "}.
     */
    public Options<R> format(String input, String label) {
      return new Options<>(draft(), tokenize, input, label);
    }

    /** One more solved example in front of every text, behind those before it. */
    public Options<R> example(String input, String label) {
      Cpt t = tuner();
      boolean first = t.types.stream().noneMatch(Cpt::isLabel);
      List<Integer> ids = new ArrayList<>(first ? List.of() : t.ids);
      List<Integer> types = new ArrayList<>(first ? List.of() : t.types);
      int type = first ? 0 : Collections.max(types);
      for (String part : List.of(beforeInput, input, beforeLabel, label)) {
        List<Integer> tokens = tokenize.apply(part);
        type++;
        ids.addAll(tokens);
        types.addAll(Collections.nCopies(tokens.size(), type));
      }
      return with(new Cpt(ids, types, t.decay, t.inputBound, t.formatBound));
    }

    /** The tokens themselves, with the type of each as {@link Cpt} has them. */
    public Options<R> tokens(List<Integer> ids, List<Integer> types) {
      Cpt t = tuner();
      return with(new Cpt(ids, types, t.decay, t.inputBound, t.formatBound));
    }

    /**
     * What a label of the example before counts, relative to one of the example behind it; default
     * all alike.
     */
    public Options<R> decay(double factor) {
      Cpt t = tuner();
      return with(new Cpt(t.ids, t.types, factor, t.inputBound, t.formatBound));
    }

    /**
     * How far embeddings may go from the model's own, of inputs and of format, at width 2048;
     * default 0.1 each.
     */
    public Options<R> bounds(double input, double format) {
      Cpt t = tuner();
      return with(new Cpt(t.ids, t.types, t.decay, input, format));
    }
  }
}
