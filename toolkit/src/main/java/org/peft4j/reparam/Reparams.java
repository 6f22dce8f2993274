package org.peft4j.reparam;

import java.util.List;
import java.util.function.Function;
import java.util.function.Predicate;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Method;
import org.peft4j.spi.Reparam;

/** Every reparameterisation, one line each. Being listed here puts it under the contract suite. */
public final class Reparams {
  private static final List<Method> ALL =
      List.of(
          new Method(new Lora(), Reparams::lora),
          new Method(new LoraPlus(), LoraPlus::fromConfig),
          new Method(new Relora(), Relora::fromConfig),
          new Method(new LoraFa(), LoraFa::fromConfig),
          new Method(new LoraFa(new Lora(), true), LoraFa::orthogonal),
          new Method(new LongLora(), LongLora::fromConfig),
          new Method(new Dora(), Dora::fromConfig),
          new Method(new Kasa(), Kasa::fromConfig),
          new Method(new Mica(), Mica::fromConfig),
          new Method(new BdLora(), BdLora::fromConfig),
          new Method(new Velora(), Velora::fromConfig),
          new Method(new MonteClora(), MonteClora::fromConfig),
          new Method(new Alora(new Lora(), List.of(4)), Alora::fromConfig), // whatever users say
          new Method(new AdaLora(), AdaLora::fromConfig),
          new Method(new Vera(), Vera::fromConfig),
          new Method(new TiedLora(), TiedLora::fromConfig),
          new Method(new MultiLora(), MultiLora::fromConfig),
          new Method(new Glora(), Glora::fromConfig),
          new Method(new LoHa(), LoHa::fromConfig),
          new Method(new LoKr(), LoKr::fromConfig),
          new Method(new Mora(), Mora::fromConfig),
          new Method(new Remora(), Remora::fromConfig),
          new Method(new Nola(), Nola::fromConfig),
          new Method(new Sbora(), Sbora::columns),
          new Method(new Sbora(new Lora(), false, 0, 0), Sbora::rows),
          new Method(new Oft(), Oft::fromConfig),
          Keyed.method(new Boft()),
          Keyed.method(new Hra()),
          Keyed.method(new FourierFt()),
          new Method(new WaveFt(), WaveFt::fromConfig),
          Keyed.method(new Hira()),
          Keyed.method(new Miss()),
          Keyed.method(new Shira()),
          Keyed.method(new C3a()),
          new Method(new VbLora(), VbLora::fromConfig),
          Keyed.method(new Road()),
          Keyed.method(new DeLora()),
          Keyed.method(new GraLora()),
          new Method(new Pvera(), Pvera::fromConfig),
          Keyed.method(new RandLora()),
          Keyed.method(new Beft()),
          Keyed.method(new SuperTuning()),
          Keyed.method(new Deft()),
          Keyed.method(new Peanut()),
          Keyed.method(new TinyLora()),
          new Method(new UniLora(), UniLora::fromConfig),
          new Method(new Adamss(), Adamss::fromConfig),
          Keyed.method(new Osf()),
          new Method(new Psoft(), Psoft::fromConfig),
          new Method(new Poly(), Poly::fromConfig),
          Keyed.method(new Lily()),
          new Method(new XLora(), XLora::fromConfig),
          new Method(new Frod(), Frod::fromConfig),
          new Method(new Ia3(), Ia3::fromConfig),
          new Method(new BitFit(), BitFit::fromConfig),
          new Method(new LnTuning(), LnTuning::fromConfig),
          new Method(
              new TrainableTokens(List.of(0, 1, 2, 3), true), // whichever tokens a user names
              TrainableTokens::fromConfig),
          new Method(new Surgical(), Surgical::fromConfig),
          new Method(new Spafit(), Spafit::fromConfig),
          new Method(new Full(), Full::fromConfig));

  private record Variant(Predicate<Entries> in, Function<Entries, Reparam> read) {}

  /** How files of type LORA say that they are a variant's. */
  private static final List<Variant> VARIANTS =
      List.of(
          new Variant(LongLora::in, LongLora::fromConfig),
          new Variant(c -> c.flag("use_dora", false), Dora::fromConfig),
          new Variant(Kasa::in, Kasa::fromConfig),
          new Variant(Mica::in, Mica::fromConfig),
          new Variant(BdLora::in, BdLora::fromConfig),
          new Variant(Velora::in, Velora::fromConfig),
          new Variant(MonteClora::in, MonteClora::fromConfig),
          new Variant(Alora::in, Alora::fromConfig),
          new Variant(
              Arrow::in,
              c -> {
                throw Arrow.refused();
              }));

  /** A LoRA, or the variant of it that the file says; entries of a second one are refused later. */
  private static Reparam lora(Entries c) {
    for (Variant variant : VARIANTS) {
      if (variant.in.test(c)) {
        return variant.read.apply(c);
      }
    }
    return Lora.fromConfig(c);
  }

  private Reparams() {}

  public static List<Method> all() {
    return ALL;
  }
}
