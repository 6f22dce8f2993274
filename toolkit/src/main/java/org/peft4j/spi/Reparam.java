package org.peft4j.spi;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * A reparameterisation: {@code effective(W0, b0, theta) -> (W, b)}. The weight form is the
 * definition; merging, export, foreign blocks and the tests follow from it. The activation form
 * {@link #forward} is a faster route to the same thing, overridden only where it pays.
 *
 * <p>A method states its tensors ({@link #declare}, {@link #declareShared}) and its weight form;
 * everything else has a default. Methods whose effect is a sum implement {@link Additive} instead
 * of this interface.
 */
public interface Reparam extends Tuner {
  /** Kinds of sites it can act on. */
  Set<Kind> kinds();

  /**
   * What to adapt where a user names nothing, in the words of targets; empty to take what is usual
   * for the model.
   */
  default List<String> usualTargets(List<Site> sites) {
    return List.of();
  }

  /**
   * Modules that it trains whole beside what it adapts, in the words of {@code modules_to_save}.
   */
  default List<String> wholeModules(List<Site> sites) {
    return List.of();
  }

  /** The tensors it has at {@code site}. */
  void declare(Site site, Declaration theta);

  /**
   * The weight form: what the weight and bias at this site effectively are. Differentiable in
   * theta.
   */
  Weight effective(At at);

  /**
   * The activation form: what the site computes on x. Equal to the weight form applied, up to
   * rounding.
   */
  default NDArray forward(At at, NDArray x) {
    Weight w = effective(at);
    return at.map(x, w.weight(), w.bias());
  }

  /**
   * Whether merging its weights leaves nothing out. Where not, {@link #effective} may have nothing
   * to give, and what it does stays beside the base.
   */
  default boolean mergeable() {
    return true;
  }

  /** Whether what it does at a token depends on earlier ones beyond their keys and values. */
  default boolean remembers() {
    return false;
  }

  /** The tensors that all of {@code sites} share. */
  default void declareShared(List<Site> sites, Declaration theta) {}

  /**
   * This configuration with the sizes that it leaves open fitted to its sites, before anything is
   * planned.
   */
  default Reparam sized(List<Site> sites) {
    return this;
  }

  /**
   * Decides the configuration at every site before anything is allocated. By default each site gets
   * {@link #at}; methods that look at all sites together (or at data) override this.
   */
  default Map<Site, Reparam> plan(List<Site> sites) {
    Map<Site, Reparam> plan = new LinkedHashMap<>();
    sites.forEach(s -> plan.put(s, at(s)));
    return plan;
  }

  /** This method's configuration at one site: itself, unless patterns say otherwise. */
  default Reparam at(Site site) {
    return this;
  }

  /**
   * The base that the method works on, for methods that start from another one than W0 (PiSSA's
   * residual, for example). Called once, after theta has its first values; what is stored in the
   * model stays as it is.
   *
   * @return the dense weight to use in place of W0 (the caller takes ownership), or null to use W0
   */
  default @Nullable NDArray shift(At at) {
    return null;
  }

  /** How to keep what {@link #shift} made; null for plain numbers. */
  default @Nullable Storage storage() {
    return null;
  }

  /** A scalar to add to the training loss, or null. Called once per step with all sites. */
  default @Nullable NDArray penalty(List<At> sites) {
    return null;
  }

  /**
   * Called once per step with all sites, after the gradients are there and the optimizer has run,
   * before gradients are cleared. The method may change its tensors in place.
   *
   * @param step number of this step, from 1
   * @param total number of steps of the whole run
   */
  default void afterStep(List<At> sites, long step, long total) {}

  /**
   * This configuration made to fit the tensors of a file, for files whose configuration does not
   * tell their shapes.
   *
   * @param shapes shape of a tensor in the file by site and name, or null
   */
  default Reparam fitted(List<Site> sites, BiFunction<Site, String, @Nullable Shape> shapes) {
    return this;
  }

  /** The configuration to save after training, such as one that knows which ranks were pruned. */
  default Reparam finished(List<At> sites) {
    return this;
  }

  /** The value of a tensor as it is saved, in the shape that {@link #finished} declares. */
  default NDArray stored(At at, String tensor) {
    return at.theta(tensor);
  }

  /** Learning rate of a tensor relative to the run's, such as LoRA+'s ratio for B. */
  default double learningRateScale(String tensor) {
    return 1;
  }

  /**
   * What the learning rate of its tensors is multiplied by in one update, beside the run's own
   * schedule, such as a rise after a restart.
   *
   * @param step number of this step, from 1
   * @param total number of steps of the whole run
   */
  default double learningRateFactor(long step, long total) {
    return 1;
  }

  /**
   * Share of the optimizer's moments of its tensors, the smallest ones, that is forgotten after a
   * step; 0 for none. See {@link #afterStep} for the parameters.
   */
  default double droppedMoments(long step, long total) {
    return 0;
  }

  /**
   * Learning rates of one update relative to the run's, for methods that set them by the gradients.
   * Called before the update, with the trained tensors of all sites and their gradients; tensors
   * that it does not name keep {@link #learningRateScale}.
   *
   * @param trained by site and name, such as {@code encoder.layer.0.output.dense.weight}
   */
  default Map<String, Double> learningRates(Map<String, NDArray> trained) {
    return Map.of();
  }

  /**
   * Whether a trained tensor is to stay as it is in this update, such as one that a budget has left
   * out. Asked of {@link #scheduled} methods alone, before every update.
   */
  default boolean rests(At at, String tensor) {
    return false;
  }

  /** Whether sites that share their tensor with an adapted one change with it. */
  default boolean followsTies() {
    return false;
  }

  /** Whether the bias of a site is among its own tensors, so that {@code bias} adds none there. */
  default boolean trainsBias() {
    return false;
  }

  /** Whether Hugging Face's configuration of it has the entry {@code bias}. */
  default boolean namesBias() {
    return true;
  }

  /**
   * Whether Hugging Face's configuration of it says that the base keeps its weights as {@code [in,
   * out]}, as GPT-2 does.
   */
  default boolean transposable() {
    return false;
  }

  /** Whether a file has what all sites share once more at every site. */
  default boolean repeatsShared() {
    return false;
  }

  /** Whether the method needs {@link #afterStep} to be called to do what it promises. */
  default boolean scheduled() {
    return false;
  }
}
