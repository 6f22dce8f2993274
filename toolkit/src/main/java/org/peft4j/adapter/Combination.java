package org.peft4j.adapter;

/**
 * How several LoRAs become one, in Hugging Face's terms. {@link #cat} is exact; {@link #svd} is the
 * best of its rank; the others act on A and B apart (square roots of the weights on each), or,
 * {@link #bySvd}, on the products, of which the SVD is then taken.
 *
 * @param rule what is done with the weighted tensors
 * @param products whether it is done with B A rather than with A and B
 * @param density share of the entries that pruning keeps, in (0, 1]
 * @param bySign whether TIES elects signs by count rather than by sum
 * @param rank of the result where it is free to choose; 0 for the largest of the ranks
 * @param seed of DARE's random pruning
 */
public record Combination(
    Rule rule, boolean products, double density, boolean bySign, int rank, long seed) {
  /** What is done with the weighted tensors. */
  public enum Rule {
    CAT,
    /** Weighted sum. */
    LINEAR,
    /**
     * Keep the largest entries of each, elect a sign per entry, average those that agree (arXiv
     * 2306.01708).
     */
    TIES,
    /** Drop entries at random, scale up the rest, weighted sum (arXiv 2311.03099). */
    DARE_LINEAR,
    /** Drop at random, then as TIES. */
    DARE_TIES,
    /** Keep the largest entries of each, weighted sum. */
    MAGNITUDE_PRUNE
  }

  public Combination {
    if (!(density > 0 && density <= 1)) {
      throw new IllegalArgumentException("density: expected a share in (0, 1], found " + density);
    }
    if (rank < 0) {
      throw new IllegalArgumentException("rank: expected at least 0, found " + rank);
    }
  }

  private static Combination of(Rule rule, boolean products, double density) {
    return new Combination(rule, products, density, false, 0, 0);
  }

  /**
   * All the factors side by side: exactly the weighted sum of the effects, at the sum of the ranks.
   */
  public static Combination cat() {
    return of(Rule.CAT, false, 1);
  }

  /**
   * Weighted sums of the A's and of the B's; ranks must be equal. Not the sum of the effects:
   * products of different adapters mix in.
   */
  public static Combination linear() {
    return of(Rule.LINEAR, false, 1);
  }

  /** The SVD of the weighted sum of the effects, cut to the largest of the ranks. */
  public static Combination svd() {
    return of(Rule.LINEAR, true, 1);
  }

  /** TIES on A and B; ranks must be equal. */
  public static Combination ties(double density) {
    return of(Rule.TIES, false, density);
  }

  /** DARE with a weighted sum, on A and B; ranks must be equal. */
  public static Combination dareLinear(double density) {
    return of(Rule.DARE_LINEAR, false, density);
  }

  /** DARE with TIES, on A and B; ranks must be equal. */
  public static Combination dareTies(double density) {
    return of(Rule.DARE_TIES, false, density);
  }

  /** Magnitude pruning with a weighted sum, on A and B; ranks must be equal. */
  public static Combination magnitudePrune(double density) {
    return of(Rule.MAGNITUDE_PRUNE, false, density);
  }

  /** The same rule on the products B A, of which the SVD is taken. */
  public Combination bySvd() {
    return new Combination(rule, true, density, bySign, rank, seed);
  }

  /** TIES elects the sign that more adapters have, rather than that of the sum. */
  public Combination countingSigns() {
    return new Combination(rule, products, density, true, rank, seed);
  }

  /** Rank of the result, where an SVD chooses it. */
  public Combination withRank(int r) {
    return new Combination(rule, products, density, bySign, r, seed);
  }

  /** Seed of DARE's random pruning. */
  public Combination withSeed(long s) {
    return new Combination(rule, products, density, bySign, rank, s);
  }

  boolean isCat() {
    return rule == Rule.CAT && !products;
  }

  boolean needsEqualRanks() {
    return rule != Rule.CAT && !products;
  }
}
