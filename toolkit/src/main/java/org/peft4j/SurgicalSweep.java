package org.peft4j;

import ai.djl.nn.Block;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.peft4j.data.Examples;
import org.peft4j.spi.Site;
import org.peft4j.train.Fit;
import org.peft4j.train.Metrics;
import org.peft4j.train.Training;

/**
 * Surgical fine-tuning by hand (Lee et al., arXiv 2210.11466): each contiguous block of layers is
 * trained alone, from the same model, with the same settings, and scored. Data whose inputs differ
 * from the model's ask for the first blocks, data whose labels do for the last.
 *
 * <pre>{@code
 * Peft.surgicalSweep(model).blocks(4).run(train, validation, t -> t.epochs(3).learningRate(1e-4))
 * }</pre>
 */
public final class SurgicalSweep {
  private static final int USUAL_BLOCKS = 4;

  private final Block model;
  private final Map<String, List<String>> blocks;
  private final long seed;

  private SurgicalSweep(Block model, Map<String, List<String>> blocks, long seed) {
    this.model = model;
    this.blocks = blocks;
    this.seed = seed;
  }

  static SurgicalSweep of(Block model) {
    if (model instanceof Tuned) {
      throw new IllegalArgumentException(
          "a sweep starts from a plain model\nfix: give the base, or merge() first");
    }
    return new SurgicalSweep(model, Map.of(), 0);
  }

  /**
   * Cuts the layers into n blocks of about the same number of layers; default 4. What lies before
   * the layers is a block of its own, {@code input}, and what lies behind them is {@code output}; a
   * new head is trained with every block.
   */
  public SurgicalSweep blocks(int n) {
    return new SurgicalSweep(model, cut(n), seed);
  }

  /**
   * One more block, of one's own choice.
   *
   * @param name what the table calls it
   * @param targets its modules, in the words of {@code targets}
   */
  public SurgicalSweep block(String name, String... targets) {
    Map<String, List<String>> more = new LinkedHashMap<>(blocks);
    more.put(name, List.of(targets));
    return new SurgicalSweep(model, more, seed);
  }

  /** Seed of the new head and of dropout, the same for every block; default 0. */
  public SurgicalSweep seed(long number) {
    return new SurgicalSweep(model, blocks, number);
  }

  /** Trains on labelled texts, and scores on others. */
  public Result run(Examples train, Examples validation, UnaryOperator<Training> settings) {
    return run(t -> settings.apply(t.fit(train)), t -> t.evaluate(validation));
  }

  /**
   * Trains and scores every block in turn.
   *
   * @param training the run for a model of which one block is trainable
   * @param score what the trained model is worth
   */
  public Result run(Function<Tuned, Training> training, Function<Tuned, Metrics> score) {
    List<Trial> trials = new ArrayList<>();
    (blocks.isEmpty() ? cut(USUAL_BLOCKS) : blocks)
        .forEach(
            (name, targets) -> {
              try (Tuned tuned =
                  Peft.surgical(model).targets(targets.toArray(String[]::new)).seed(seed).apply()) {
                Fit fit = training.apply(tuned).run();
                trials.add(
                    new Trial(name, targets, tuned.trainableParameters(), score.apply(tuned), fit));
              }
            });
    return new Result(trials);
  }

  private Map<String, List<String>> cut(int n) {
    List<Site> sites = Peft.surgical(model).sites();
    List<Integer> layers =
        new ArrayList<>(new TreeSet<>(sites.stream().map(Site::layer).toList()).tailSet(0));
    if (n < 1 || n > layers.size()) {
      throw new IllegalArgumentException(
          "blocks\nexpected: 1 to the number of layers, "
              + layers.size()
              + "\nfound: "
              + n
              + "\nfix: block(name, targets...) makes blocks of whatever modules there are");
    }
    Map<String, List<String>> out = new LinkedHashMap<>();
    boolean behind = false;
    for (Site s : sites) {
      behind |= s.layer() >= 0;
      String name = s.layer() < 0 ? behind ? "output" : "input" : name(layers, n, s.layer());
      out.computeIfAbsent(name, k -> new ArrayList<>()).add(s.path());
    }
    return out;
  }

  /** The block that holds a layer. */
  private static String name(List<Integer> layers, int n, int layer) {
    int block = layers.indexOf(layer) * n / layers.size();
    int first = (block * layers.size() + n - 1) / n;
    int last = ((block + 1) * layers.size() + n - 1) / n - 1;
    return first == last
        ? "layer " + layers.get(first)
        : "layers " + layers.get(first) + "-" + layers.get(last);
  }

  /**
   * One block's run.
   *
   * @param trainable number of parameters trained, those of a new head included
   * @param score of the trained model
   */
  public record Trial(String block, List<String> targets, long trainable, Metrics score, Fit fit) {
    public Trial {
      targets = List.copyOf(targets);
    }
  }

  /** Every block's run, in the order of the model; printing it gives a table. */
  public record Result(List<Trial> trials) {
    public Result {
      trials = List.copyOf(trials);
    }

    /** The block that scores best; the first of equals. */
    public Trial best() {
      Trial best = trials.get(0);
      for (Trial t : trials) {
        best = t.score.betterThan(best.score) ? t : best;
      }
      return best;
    }

    @Override
    public String toString() {
      Trial best = best();
      StringBuilder s =
          new StringBuilder(
              String.format(
                  Locale.ROOT,
                  "%-16s %14s %12s %9s",
                  "block",
                  "parameters",
                  best.score.mainName(),
                  "seconds"));
      for (Trial t : trials) {
        s.append(
            String.format(
                Locale.ROOT,
                "%n%-16s %,14d %12.4f %9.1f%s",
                t.block,
                t.trainable,
                t.score.main(),
                t.fit.seconds(),
                t.equals(best) ? "  <- best" : ""));
      }
      return s.toString();
    }
  }
}
