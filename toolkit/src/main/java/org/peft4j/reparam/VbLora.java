package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import java.util.Map;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Site;

/**
 * VB-LoRA (Li et al., arXiv 2405.15179): {@code W = W0 + B A}, A {@code [r, in]} and B {@code [out,
 * r]} cut into vectors of length l, each a mixture of the k vectors of one bank {@code [n, l]} that
 * its trained logits {@code [n]} are largest for, with their softmax. The bank is trained too, and
 * shared by all sites. It starts near W0, not at it.
 *
 * @param rank r
 * @param vectors n
 * @param length l, a divisor of inputs and outputs; 0 for the largest one up to 256
 * @param most k
 * @param dropout probability on the input of the branch
 * @param bankBound the bank is uniform within it at first
 * @param logitsDeviation deviation of the logits at first
 */
public record VbLora(
    @Key("r") int rank,
    @Key("num_vectors") int vectors,
    @Key("vector_length") int length,
    @Key("topk") int most,
    @Key("vblora_dropout") double dropout,
    @Key("init_vector_bank_bound") double bankBound,
    @Key("init_logits_std") double logitsDeviation)
    implements DropoutBranch {
  private static final String A = "vblora_logits_A";
  private static final String B = "vblora_logits_B";
  private static final String BANK = "vblora_vector_bank";

  /** Hugging Face's defaults: rank 4, the 2 best of 256 vectors. */
  public VbLora() {
    this(4, 256, 0, 2, 0, 0.02, 0.1);
  }

  public VbLora {
    Checks.rank(rank);
    Checks.atLeast("vector_length", 0, length);
    Checks.atLeast("topk", 1, most);
    Checks.atMost("topk", "the bank", vectors, most);
    Checks.probability("dropout", dropout);
  }

  static VbLora fromConfig(Entries c) {
    Keyed.require(c, "save_only_topk_weights", false);
    return Keyed.read(new VbLora(), c);
  }

  @Override
  public Map<String, Object> constants() {
    return Map.of("save_only_topk_weights", false);
  }

  @Override
  public boolean transposable() {
    return true;
  }

  @Override
  public VbLora sized(List<Site> sites) {
    return length > 0 ? this : Keys.with(this, "vector_length", Divisors.common(sites, 256));
  }

  @Override
  public void declareShared(List<Site> sites, Declaration theta) {
    theta.trained(BANK, new Shape(vectors, length), Init.uniform(bankBound));
  }

  @Override
  public void declare(Site site, Declaration theta) {
    Checks.divides("vector_length", length, "inputs of " + site.path(), site.in());
    Checks.divides("vector_length", length, "outputs of " + site.path(), site.out());
    Init logits = Init.normal(logitsDeviation);
    theta.trained(A, new Shape(rank, site.in() / length, vectors), logits);
    theta.trained(B, new Shape(site.out() / length, rank, vectors), logits);
  }

  /** Vectors {@code [..., l]} of logits {@code [..., n]}. */
  private NDArray mixed(NDArray logits, NDArray bank) {
    NDList best = logits.topK(most, -1);
    NDArray weights = best.get(0).softmax(-1).expandDims(-1);
    return Operation.EMBEDDING.apply(best.get(1), bank, null).mul(weights).sum(new int[] {-2});
  }

  @Override
  public NDArray delta(At at) {
    NDArray bank = at.theta(BANK);
    NDArray a = mixed(at.theta(A), bank).reshape(rank, at.site().in());
    NDArray b = mixed(at.theta(B), bank).transpose(0, 2, 1).reshape(at.site().out(), rank);
    return b.matMul(a);
  }

  @Override
  public String summary() {
    return "rank "
        + rank
        + ", "
        + most
        + " of "
        + vectors
        + " vectors of "
        + (length > 0 ? "length " + length : "up to 256")
        + (dropout > 0 ? ", dropout " + dropout : "");
  }

  /** The options, for {@code Peft.vbLora(model)}. */
  public static final class Options<R> extends Keyed.Options<VbLora, Options<R>, R> {
    private Options(Draft<VbLora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new VbLora(), target));
    }

    /** r, at least 1; default 4. */
    public Options<R> rank(int rank) {
      return set("r", rank);
    }

    /** Number of vectors in the bank; default 256. */
    public Options<R> vectors(int n) {
      return set("num_vectors", n);
    }

    /** Length of the vectors, a divisor of inputs and outputs; default the largest up to 256. */
    public Options<R> vectorLength(int length) {
      return set("vector_length", length);
    }

    /** Of how many vectors each part is mixed; default 2. */
    public Options<R> mostVectors(int k) {
      return set("topk", k);
    }

    /** Dropout on the input of the branch, in [0, 1); default 0. */
    public Options<R> dropout(double p) {
      return set("vblora_dropout", p);
    }
  }
}
