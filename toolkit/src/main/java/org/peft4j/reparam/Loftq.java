package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import java.util.Map;
import org.peft4j.quant.Storages;
import org.peft4j.spi.At;
import org.peft4j.spi.Dense;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Frozen;
import org.peft4j.spi.Init;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Parameters;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Site;
import org.peft4j.spi.Storage;
import org.peft4j.tensor.Scalars;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Svd;

/**
 * LoftQ (Li et al., arXiv 2310.08659): a quantised base and the LoRA that makes up for most of what
 * it lost. From {@code R = W0}, in each round {@code Q = quantised(R)}, {@code s B A} the best
 * rank-r approximation of {@code W0 - Q}, each factor with the roots of the singular values, and
 * {@code R = W0 - s B A}. The base becomes Q, kept quantised; the start is near W0, not at it.
 * Unlike Hugging Face's, it is right at any alpha.
 *
 * @param storage of the base
 * @param rounds at least 1
 */
record Loftq(Storage storage, int rounds) implements LoraStart {
  private static final int BITS = 4;

  Loftq {
    if (rounds < 1) {
      throw new IllegalArgumentException("loftq_iter: expected at least 1, found " + rounds);
    }
  }

  private record Split(NDArray base, NDArray a, NDArray b) {}

  private Split split(NDManager manager, NDArray w0, Lora lora) {
    int r = LoraInit.atMost(lora.rank(), w0.getShape());
    NDArray rest = w0;
    NDArray base = w0;
    NDArray a = w0;
    NDArray b = w0;
    for (int i = 0; i < rounds; i++) {
      base = quantised(manager, rest);
      NDArray lost = w0.sub(base);
      if (i == 0 && lost.abs().max().getFloat() == 0) {
        throw new IllegalArgumentException(
            "init loftq: quantising loses nothing of this weight, so there is nothing to make up for"
                + "\nfix: use the model as it was before quantized(...)");
      }
      Svd svd = Svd.precise(lost);
      NDArray root = Scalars.div(svd.s().get(":{}", r), lora.scale()).sqrt();
      a = root.expandDims(1).mul(svd.vh().get(":{}", r));
      b = svd.u().get(":, :{}", r).mul(root.expandDims(0));
      rest = w0.sub(Scalars.mul(b.matMul(a), lora.scale()));
    }
    return new Split(base, a, b);
  }

  /** What is left of a weight in the storage. */
  private NDArray quantised(NDManager manager, NDArray weight) {
    try (Scope scope = Scope.open();
        NDManager temporary = manager.newSubManager()) {
      Parameter p = Parameters.of("weight", Parameter.Type.WEIGHT, weight, false);
      Frozen stored = storage.store(new Dense(p, null, Operation.LINEAR), weight, temporary);
      NDArray out = stored.weight(Pass.of(new ParameterStore(temporary, false), false));
      scope.keep(out);
      out.attach(manager);
      return out;
    }
  }

  private Split once(Init.Context c, Lora lora) {
    return c.once("loftq", () -> split(c.manager(), c.w0(), lora));
  }

  @Override
  public Init a(Lora lora, Site site) {
    return (c, shape) -> once(c, lora).a;
  }

  @Override
  public Init b(Lora lora, Site site) {
    return (c, shape) -> once(c, lora).b;
  }

  @Override
  public boolean shifts() {
    return true;
  }

  @Override
  public NDArray base(Lora lora, At at) {
    return split(at.pass().getManager(), at.w0(), lora).base;
  }

  @Override
  public Storage keptIn() {
    return storage;
  }

  @Override
  public Object toConfig() {
    return "loftq";
  }

  @Override
  public Map<String, Object> moreConfig() {
    return Map.of("loftq_config", Map.of("loftq_bits", BITS, "loftq_iter", rounds));
  }

  static Loftq fromConfig(Entries c) {
    Map<String, Double> options = c.numbers("loftq_config");
    double bits = options.getOrDefault("loftq_bits", (double) BITS);
    if (bits != BITS) {
      throw new IllegalArgumentException(
          "loftq_config.loftq_bits\nexpected: 4\nfound: " + Patterns.tidy(bits));
    }
    return new Loftq(Storages.byName("nf4"), options.getOrDefault("loftq_iter", 1.0).intValue());
  }

  @Override
  public String toString() {
    return "loftq (" + storage.name() + ", " + rounds + (rounds == 1 ? " round)" : " rounds)");
  }
}
