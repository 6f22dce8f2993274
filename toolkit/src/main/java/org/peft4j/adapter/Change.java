package org.peft4j.adapter;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.peft4j.reparam.Full;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Site;
import org.peft4j.tensor.Buffers;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Seed;
import org.peft4j.tensor.Svd;
import org.peft4j.tensor.Torch;

/**
 * What adapters change in the weight W0 {@code [out, in]} of one module: {@code dW = W - W0}, to be
 * looked at.
 */
public final class Change {
  private final Site site;
  private final float[] delta;
  private final double magnitude;
  private final double direction;
  private final double relative;

  private Change(Site site, float[] delta, double magnitude, double direction, double relative) {
    this.site = site;
    this.delta = delta;
    this.magnitude = magnitude;
    this.direction = direction;
    this.relative = relative;
  }

  static List<Change> of(PeftModel model, Active active) {
    if (active.adapters().isEmpty()) {
      throw new IllegalStateException("changes: no adapter is active\nfix: use(...) one first");
    }
    List<Change> out = Torch.inference(() -> all(model, active));
    if (out.isEmpty()) {
      throw new IllegalStateException(
          "changes: the active adapters change no weights of linear modules");
    }
    return out;
  }

  /** The first of {@code all} whose path is, or ends in, {@code module}. */
  static Change at(String module, List<Change> all) {
    return all.stream()
        .filter(c -> c.site().equals(module) || c.site().endsWith("." + module))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "module\nexpected: one of "
                        + all.stream().map(Change::site).toList()
                        + ", or the end of one\nfound: "
                        + module));
  }

  private static List<Change> all(PeftModel model, Active active) {
    List<Change> out = new ArrayList<>();
    try (NDManager temporary = Torch.newManager()) {
      AdapterPass pass =
          new AdapterPass(
              new ParameterStore(temporary, false), false, active, Seed.of(0), temporary);
      for (Site site : model.sites()) {
        if (site.kind() == Kind.LINEAR && acts(active, site)) {
          try (Scope scope = Scope.open()) {
            out.add(at(site, pass));
          }
        }
      }
    }
    return out;
  }

  /** Whether a method, rather than whole training beside it, acts there. */
  private static boolean acts(Active active, Site site) {
    return active.at(site.frozen()).stream()
        .anyMatch(
            u ->
                u.attachment().reparam() != null
                    && (!(u.reparam() instanceof Full) || u.adapter().reparam instanceof Full));
  }

  private static Change at(Site site, AdapterPass pass) {
    Frozen frozen = site.frozen();
    NDArray before = frozen.weight(pass.below());
    NDArray after = pass.effective(frozen).weight();
    float[] w0 = before.toFloatArray();
    float[] w = after.toFloatArray();
    int in = (int) site.in();
    int out = (int) site.out();
    float[] delta = new float[w.length];
    double lengths = 0;
    double turns = 0;
    double changed = 0;
    double all = 0;
    for (int i = 0; i < out; i++) {
      double a = 0;
      double b = 0;
      double ab = 0;
      for (int j = i * in; j < (i + 1) * in; j++) {
        delta[j] = w[j] - w0[j];
        a += (double) w0[j] * w0[j];
        b += (double) w[j] * w[j];
        ab += (double) w0[j] * w[j];
        changed += (double) delta[j] * delta[j];
      }
      all += a;
      lengths += Math.abs(Math.sqrt(b) - Math.sqrt(a));
      double both = Math.sqrt(a * b);
      turns += both == 0 ? 0 : 1 - Math.min(1, ab / both);
    }
    double relative = all == 0 ? Double.NaN : Math.sqrt(changed / all);
    return new Change(site, delta, lengths / out, turns / out, relative);
  }

  /** Path of the module. */
  public String site() {
    return site.path();
  }

  /** Canonical role such as {@code q}, or null. */
  public @Nullable String role() {
    return site.role();
  }

  /** Index of the layer, -1 outside of the layers. */
  public int layer() {
    return site.layer();
  }

  /** dW, {@code [out][in]}. */
  public float[][] weights() {
    int in = (int) site.in();
    float[][] rows = new float[(int) site.out()][];
    Arrays.setAll(rows, i -> Arrays.copyOfRange(delta, i * in, (i + 1) * in));
    return rows;
  }

  /** Frobenius norm of dW relative to that of W0. */
  public double relativeNorm() {
    return relative;
  }

  /**
   * Mean change of the lengths of the rows of W0, {@code | |w_i| - |w0_i| |} (DoRA, arXiv
   * 2402.09353, section 3.2).
   */
  public double magnitude() {
    return magnitude;
  }

  /** Mean change of the directions of the rows of W0, {@code 1 - cos(w_i, w0_i)}, likewise. */
  public double direction() {
    return direction;
  }

  /** Singular values of dW, descending, {@code min(out, in)} of them. */
  public double[] singularValues() {
    return Torch.inference(
        () -> {
          try (NDManager manager = Torch.newManager();
              Scope scope = Scope.open()) {
            NDArray matrix = Buffers.create(manager, delta, new Shape(site.out(), site.in()));
            float[] s = Svd.precise(matrix).s().toFloatArray();
            double[] values = new double[s.length];
            Arrays.setAll(values, i -> s[i]);
            return values;
          }
        });
  }

  /**
   * How many of the first singular directions hold this part of the squares of all, such as 0.9.
   */
  public int directions(double part) {
    double[] s = singularValues();
    double all = Arrays.stream(s).map(x -> x * x).sum();
    double sum = 0;
    int n = 0;
    while (n < s.length && sum < part * all) {
      sum += s[n] * s[n];
      n++;
    }
    return n;
  }

  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "%s: |dW| / |W0| %.2e, magnitude %.2e, direction %.2e",
        site.path(),
        relative,
        magnitude,
        direction);
  }
}
