package org.peft4j.reparam;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.peft4j.spi.Method;
import org.peft4j.spi.Reparam;

/** Which configurations of a method are held to its contract: every path through its code. */
final class Variants {
  private Variants() {}

  /** Configurations beyond a method's defaults that take other paths through its code. */
  static List<Reparam> of(Method entry) {
    if (entry.standard() instanceof BdLora) {
      Lora two = new Lora().withRank(2);
      return List.of(
          new BdLora(two, 2, List.of(), List.of(), true), // B at a site without a role
          new BdLora(two, 2, List.of("si"), List.of("other"), true),
          new BdLora(two, 2, List.of("another"), List.of(), false));
    }
    if (entry.standard() instanceof Alora a) {
      return List.of(a.on(a.lora().withRank(2)), new Alora(new Lora(), List.of(7, 8, 7)));
    }
    if (entry.standard() instanceof MonteClora m) {
      return List.of(
          m.on(m.lora().withRank(2)), new MonteClora(new Lora(), 3, 0.1, 0.2, 0.3, true));
    }
    if (entry.standard() instanceof Velora v) {
      return List.of(
          v.on(v.lora().withRank(2)), new Velora(new Lora(), 3, 2, Velora.Vector.RANDOM));
    }
    if (entry.standard() instanceof OnLora m && !(m instanceof LoraPlus)) {
      return List.of(m.on(m.lora().withRank(2))); // rows of a small site that are all different
    }
    List<Reparam> all = new ArrayList<>(List.of(entry.standard()));
    if (entry.standard() instanceof Lora) {
      for (LoraInit init : LoraInit.values()) {
        all.add(new Lora(2, 3, 0, false, false, init, Map.of(), Map.of()));
      }
      all.add(new Lora(3, 5, 0, true, true, LoraInit.GAUSSIAN, Map.of(), Map.of()));
      all.add(
          new Lora(
              3, 5, 0, false, false, LoraInit.KAIMING, Map.of("site", 2), Map.of(".*te", 7.0)));
    }
    if (entry.standard() instanceof Dora) {
      all.add(new Dora(new Lora(2, 3, 0, true, false, LoraInit.GAUSSIAN, Map.of(), Map.of())));
      all.add(new Dora(new Lora(2, 3, 0, false, false, LoraInit.PISSA, Map.of(), Map.of())));
    }
    if (entry.standard() instanceof LoHa) {
      all.add(new LoHa(new Ranks(2, 3, Map.of(), Map.of()), true));
    }
    if (entry.standard() instanceof LoKr) {
      Ranks one = new Ranks(1, 3, Map.of("site", 1), Map.of(".*te", 7.0));
      all.add(new LoKr(one, false, -1, false));
      all.add(new LoKr(one, true, 4, true));
      all.add(new LoKr(one, true, 2, false));
    }
    if (entry.standard() instanceof Mora) {
      for (Mora.Operator operator : Mora.Operator.values()) {
        all.add(new Mora(1, operator));
      }
    }
    if (entry.standard() instanceof Remora) {
      for (Mora.Operator operator : Mora.Operator.values()) {
        all.add(new Remora(new Mora(1, operator), new Restarts(2, 0, 1)));
      }
    }
    if (entry.standard() instanceof Glora) {
      all.add(new Glora(2, Glora.Support.VECTOR, Glora.Support.VECTOR, Glora.Support.VECTOR));
      all.add(new Glora(2, Glora.Support.CONSTANT, Glora.Support.NONE, Glora.Support.NONE));
    }
    if (entry.standard() instanceof TiedLora) {
      all.add(new TiedLora(2, 3, 0, "B"));
      all.add(new TiedLora(2, 3, 0, "uv"));
    }
    if (entry.standard() instanceof TrainableTokens) {
      all.add(new TrainableTokens(List.of(5, 2), true));
    }
    if (entry.standard() instanceof Spafit) {
      all.add(new Spafit(2, 3, 0, List.of("site"), 0, 0));
    }
    if (entry.standard() instanceof Oft) {
      all.add(new Oft(0, 4, false, 6e-5, false, false, 5));
      all.add(new Oft(4, 0, true, 0.2, true, true, 7));
    }
    if (entry.standard() instanceof Boft) {
      all.add(new Boft(0, 4, 3));
    }
    if (entry.standard() instanceof FourierFt) { // of 96 entries
      return List.of(new FourierFt(20, 150, 777, Map.of(".*te", 11)));
    }
    if (entry.standard() instanceof WaveFt) {
      all.add(new WaveFt(20, 25, true, 3, Map.of()));
      all.add(new WaveFt(20, 25, false, 777, Map.of(".*te", 11)));
    }
    if (entry.standard() instanceof Miss) {
      all.add(new Miss(3, 1, 0, Miss.Form.PLAIN));
      all.add(new Miss(3, 4, 0, Miss.Form.MINI));
      all.add(new Miss(4, 1, 0, Miss.Form.BAT));
    }
    if (entry.standard() instanceof Shira) {
      all.add(new Shira(3, 42L));
    }
    if (entry.standard() instanceof C3a) {
      all.add(new C3a(2, Map.of("site", 4)));
    }
    if (entry.standard() instanceof VbLora) {
      all.add(new VbLora(2, 5, 2, 3, 0, 0.02, 0.1));
    }
    if (entry.standard() instanceof Road) {
      all.add(new Road(Road.Variant.ONE, 6));
      all.add(new Road(Road.Variant.TWO, 4));
      all.add(new Road(Road.Variant.FOUR, 6));
    }
    if (entry.standard() instanceof DeLora) {
      all.add(new DeLora(3, 15, 0, Map.of("site", 2), Map.of(".*te", 7.5)));
    }
    if (entry.standard() instanceof GraLora) {
      all.add(new GraLora(8, 3, 64, 4, 0));
      all.add(new GraLora(3, 0, 64, 1, 0));
    }
    if (entry.standard() instanceof Pvera) {
      all.add(new Pvera(3, 0, 0.1, 7, false));
    }
    if (entry.standard() instanceof RandLora) {
      all.add(new RandLora(3, 5, 0, 2, false, true, false));
    }
    if (entry.standard() instanceof SuperTuning) { // of 96 entries
      return List.of(
          new SuperTuning(0.8, true, null, null, 0, true),
          new SuperTuning(0.7, false, 2, 3.0, 0, false));
    }
    if (entry.standard() instanceof Deft) {
      all.add(new Deft(3, 4.0, Deft.Projector.RELU, false, 0));
      all.add(new Deft(3, null, Deft.Projector.QR, false, 0));
    }
    if (entry.standard() instanceof Peanut) {
      all.add(new Peanut(3, 2, "tanh", 2));
    }
    if (entry.standard() instanceof UniLora) {
      all.add(new UniLora(2, 7, 5, 0.02, 0));
    }
    if (entry.standard() instanceof TinyLora) {
      all.add(new TinyLora(3, 5, 1, 7, false, 0));
    }
    if (entry.standard() instanceof Adamss) {
      all.add(new Adamss(4, 3, 2, true, 2, 1, 8, 2, 0.8, 0.9, 2, true, 0.05, 7, Map.of()));
      all.add(new Adamss(8, 1, 3, false, 50, 50, 1000, 100, 0.85, 0.85, 3, false, 0, 0, Map.of()));
    }
    if (entry.standard() instanceof Osf) {
      all.add(new Osf(3, Map.of("te$", 0.8)));
    }
    if (entry.standard() instanceof Psoft) {
      Psoft.Start roots = Psoft.Start.PISSA;
      all.add(new Psoft(3, 5, 0, roots, true, false, true, true, 6, 0.4));
      all.add(new Psoft(3, 5, 0, roots, false, true, false, false, 5, null));
    }
    if (entry.standard() instanceof Poly) {
      all.add(new Poly(3, 1, 2, 4));
    }
    if (entry.standard() instanceof Lily) {
      all.add(new Lily(3, 2, 5, 0.7, List.of("layer.0.site", "site")));
    }
    if (entry.standard() instanceof XLora x) { // what it is in the first pass
      XLoraGate gate = Keys.with(new XLoraGate(), "scaling_pass_value", 0.5);
      List<XLora.Expert> one = List.of(x.experts().get(0));
      return List.of(
          new XLora(x.experts(), gate, true, List.of()),
          new XLora(one, Keys.with(gate, "enable_softmax_topk", true), true, List.of()));
    }
    if (entry.standard() instanceof Frod) {
      all.add(new Frod(0, 0.3, 0.1, 5));
    }
    if (entry.standard() instanceof Vera) {
      all.add(new Vera(3, 0, 0.1, 7, false));
    }
    return all;
  }
}
