package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.peft4j.spi.Calibration;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Moments;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;

/**
 * EVA (Paischer et al., arXiv 2410.07170): A is the r first principal components of the site's
 * inputs, B = 0. The sum of all ranks is given to the components that explain most of their site's
 * variance, at most {@code rho r} to a site; a site may get none. Scales stay as they are.
 *
 * @param rho how many times its rank a site may get, at least 1
 */
record Eva(Calibration seen, double rho) implements LoraStart {
  Eva {
    if (!(rho >= 1 && Double.isFinite(rho))) {
      throw new IllegalArgumentException("rho\nexpected: at least 1\nfound: " + rho);
    }
  }

  /** One component of the inputs of one site. */
  private record Component(Site site, double ratio) {}

  @Override
  public Map<Site, Reparam> plan(Lora lora, List<Site> sites) {
    List<Component> all = new ArrayList<>();
    long budget = 0;
    for (Site site : sites) {
      requireMatrix(site);
      int rank = lora.at(site).rank();
      budget += rank;
      double[] ratios = seen.at(site).principal().ratios().toDoubleArray();
      long most = most(lora.at(site), site);
      for (int i = 0; i < most; i++) {
        all.add(new Component(site, ratios[i]));
      }
    }
    all.sort(Comparator.comparingDouble(c -> -c.ratio)); // equal ones in the order of the model
    Map<Site, Integer> ranks = new HashMap<>();
    all.stream().limit(budget).forEach(c -> ranks.merge(c.site, 1, Integer::sum));
    Map<Site, Reparam> plan = new LinkedHashMap<>();
    for (Site site : sites) {
      Integer rank = ranks.get(site);
      if (rank != null) {
        plan.put(site, lora.at(site).resized(rank).withRanks(Map.of()).withAlphas(Map.of()));
      }
    }
    return plan;
  }

  private static void requireMatrix(Site site) {
    if (site.kind() != Kind.LINEAR) {
      throw new IllegalArgumentException(
          "init eva needs a linear layer\nfound: " + site + "\nfix: exclude it, or use kaiming");
    }
  }

  private long most(Lora lora, Site site) {
    Moments moments = seen.at(site);
    long most = Math.min(Math.round(lora.rank() * rho), moments.in());
    if (moments.rows() <= most) {
      throw new IllegalArgumentException(
          "init eva: too little data\nexpected: more than "
              + most
              + " tokens\nfound: "
              + moments.rows()
              + " at "
              + site.path()
              + "\nfix: calibrate on more texts, or lower rank or rho");
    }
    return most;
  }

  @Override
  public Init a(Lora lora, Site site) {
    return (c, shape) -> {
      NDArray directions = seen.at(site).principal().directions();
      return directions.get(":{}", shape.get(0)).toType(DataType.FLOAT32, false);
    };
  }

  @Override
  public Init b(Lora lora, Site site) {
    return Init.ZEROS;
  }

  @Override
  public boolean needsMatrix() {
    return true;
  }

  @Override
  public boolean fromData() {
    return true;
  }

  @Override
  public Object toConfig() {
    return "eva";
  }

  @Override
  public String toString() {
    return "eva (rho " + Patterns.tidy(rho) + ")";
  }
}
