package org.peft4j;

import ai.djl.Model;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Block;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.peft4j.adapter.Blueprint;
import org.peft4j.adapter.Experts;
import org.peft4j.adapter.Gradients;
import org.peft4j.adapter.PeftModel;
import org.peft4j.adapter.Statistics;
import org.peft4j.data.Conversations;
import org.peft4j.data.Examples;
import org.peft4j.hook.AdaptionPrompt;
import org.peft4j.hook.Cartridge;
import org.peft4j.hook.Cpt;
import org.peft4j.hook.MultitaskPromptTuning;
import org.peft4j.hook.PTuning;
import org.peft4j.hook.Pfeiffer;
import org.peft4j.hook.PrefixTuning;
import org.peft4j.hook.PromptTuning;
import org.peft4j.hook.Shadow;
import org.peft4j.model.Inputs;
import org.peft4j.model.Pretrained;
import org.peft4j.reparam.AdaLora;
import org.peft4j.reparam.Adamss;
import org.peft4j.reparam.Alora;
import org.peft4j.reparam.BdLora;
import org.peft4j.reparam.Beft;
import org.peft4j.reparam.BitFit;
import org.peft4j.reparam.Boft;
import org.peft4j.reparam.C3a;
import org.peft4j.reparam.DeLora;
import org.peft4j.reparam.Deft;
import org.peft4j.reparam.Dora;
import org.peft4j.reparam.FourierFt;
import org.peft4j.reparam.Frod;
import org.peft4j.reparam.Full;
import org.peft4j.reparam.Glora;
import org.peft4j.reparam.GraLora;
import org.peft4j.reparam.Hira;
import org.peft4j.reparam.Hra;
import org.peft4j.reparam.Ia3;
import org.peft4j.reparam.Kasa;
import org.peft4j.reparam.Lily;
import org.peft4j.reparam.LnTuning;
import org.peft4j.reparam.LoHa;
import org.peft4j.reparam.LoKr;
import org.peft4j.reparam.LongLora;
import org.peft4j.reparam.Lora;
import org.peft4j.reparam.LoraFa;
import org.peft4j.reparam.LoraPlus;
import org.peft4j.reparam.Mica;
import org.peft4j.reparam.Miss;
import org.peft4j.reparam.MonteClora;
import org.peft4j.reparam.Mora;
import org.peft4j.reparam.MultiLora;
import org.peft4j.reparam.Nola;
import org.peft4j.reparam.Oft;
import org.peft4j.reparam.Osf;
import org.peft4j.reparam.Peanut;
import org.peft4j.reparam.Poly;
import org.peft4j.reparam.Psoft;
import org.peft4j.reparam.Pvera;
import org.peft4j.reparam.RandLora;
import org.peft4j.reparam.Relora;
import org.peft4j.reparam.Remora;
import org.peft4j.reparam.Road;
import org.peft4j.reparam.Sbora;
import org.peft4j.reparam.Shira;
import org.peft4j.reparam.Spafit;
import org.peft4j.reparam.SuperTuning;
import org.peft4j.reparam.Surgical;
import org.peft4j.reparam.TiedLora;
import org.peft4j.reparam.TinyLora;
import org.peft4j.reparam.TrainableTokens;
import org.peft4j.reparam.UniLora;
import org.peft4j.reparam.VbLora;
import org.peft4j.reparam.Velora;
import org.peft4j.reparam.Vera;
import org.peft4j.reparam.WaveFt;
import org.peft4j.reparam.XLoraOptions;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Placement;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;
import org.peft4j.spi.Tuner;
import org.peft4j.tensor.Scope;
import org.peft4j.tensor.Torch;
import org.peft4j.text.Batch;
import org.peft4j.text.Side;
import org.peft4j.text.Tokens;
import org.peft4j.train.Objective;

/**
 * Where everything starts: {@code Peft.lora(model).rank(8).targets("q", "v").apply()}. The model is
 * one that {@link Models} loaded, any DJL {@link Block} or {@link Model} whose parameters DJL sees,
 * or a {@link Tuned} model that is to get another adapter ({@code .named("b")}). Nothing happens
 * before {@code apply()}; printing the expression tells what it would train.
 */
public final class Peft {
  private static final int CALIBRATION_BATCH = 8;

  private Peft() {}

  /** Low-rank adaptation (LoRA, arXiv 2106.09685), rsLoRA, and its initialisations. */
  public static Lora.Options<Tuned> lora(Block model) {
    return Lora.Options.on(target(model));
  }

  /** {@link #lora(Block)} on the model's block. */
  public static Lora.Options<Tuned> lora(Model model) {
    return lora(model.getBlock());
  }

  /** LoRA in singular-value form on a base without its noise (KaSA, arXiv 2412.06071). */
  public static Kasa.Options<Tuned> kasa(Block model) {
    return Kasa.Options.on(target(model));
  }

  /** LoRA with B frozen at the weights' smallest directions (MiCA, arXiv 2604.01694). */
  public static Mica.Options<Tuned> mica(Block model) {
    return Mica.Options.on(target(model));
  }

  /** LoRA with block-diagonal factors, for serving on several machines (BD-LoRA). */
  public static BdLora.Options<Tuned> bdLora(Block model) {
    return BdLora.Options.on(target(model));
  }

  /** LoRA that keeps its inputs compressed for the backward pass (VeLoRA, arXiv 2405.17991). */
  public static Velora.Options<Tuned> velora(Block model) {
    return Velora.Options.on(target(model));
  }

  /** LoRA that trains on samples around its A (MonteCLoRA, arXiv 2411.04358). */
  public static MonteClora.Options<Tuned> monteClora(Block model) {
    return MonteClora.Options.on(target(model));
  }

  /**
   * LoRA that acts from the last occurrence of some words on, so that what a text has before them
   * is read once for all adapters (Activated LoRA, arXiv 2504.12397).
   *
   * @param words as they stand in texts, such as {@code "<|assistant|>"}
   */
  public static Alora.Options<Tuned> alora(Block model, String words) {
    Pretrained p = model instanceof Tuned t ? t.model() : Pretrained.of(model);
    long[] ids = p.tokenizer().encode(words, false).ids();
    return alora(model, Arrays.stream(ids).mapToInt(Math::toIntExact).toArray());
  }

  /** {@link #alora(Block, String)} by token ids. */
  public static Alora.Options<Tuned> alora(Block model, int... invocation) {
    return Alora.Options.on(target(model), Arrays.stream(invocation).boxed().toList());
  }

  /** LoRA that spends a budget of ranks where they matter (AdaLoRA, arXiv 2303.10512). */
  public static AdaLora.Options<Tuned> adalora(Block model) {
    return AdaLora.Options.on(target(model));
  }

  /** {@link #adalora(Block)} on the model's block. */
  public static AdaLora.Options<Tuned> adalora(Model model) {
    return adalora(model.getBlock());
  }

  /** Vectors around shared random projections (VeRA, arXiv 2310.11454). */
  public static Vera.Options<Tuned> vera(Block model) {
    return Vera.Options.on(target(model));
  }

  /** {@link #vera(Block)} on the model's block. */
  public static Vera.Options<Tuned> vera(Model model) {
    return vera(model.getBlock());
  }

  /** LoRA whose B learns faster than its A (LoRA+, arXiv 2402.12354). */
  public static LoraPlus.Options<Tuned> loraPlus(Block model) {
    return LoraPlus.Options.on(target(model));
  }

  /** LoRA that starts over and adds up to high rank (ReLoRA, arXiv 2307.05695). */
  public static Relora.Options<Tuned> relora(Block model) {
    return Relora.Options.on(target(model));
  }

  /** LoRA whose A is frozen (LoRA-FA, arXiv 2308.03303). */
  public static LoraFa.Options<Tuned> loraFa(Block model) {
    return LoraFa.Options.on(target(model), false);
  }

  /** LoRA whose A is frozen and orthonormal (arXiv 2402.16842). */
  public static LoraFa.Options<Tuned> asyLora(Block model) {
    return LoraFa.Options.on(target(model), true);
  }

  /**
   * LoRA for longer texts, with shifted sparse attention in training (LongLoRA, arXiv 2309.12307):
   * {@code Peft.longLora(model.withContext(8192))}.
   */
  public static LongLora.Options<Tuned> longLora(Block model) {
    return LongLora.Options.on(target(model));
  }

  /** LoRA on directions, with magnitudes trained apart (DoRA, arXiv 2402.09353). */
  public static Dora.Options<Tuned> dora(Block model) {
    return Dora.Options.on(target(model));
  }

  /** LoRA whose factors all layers share (Tied-LoRA, arXiv 2311.09578). */
  public static TiedLora.Options<Tuned> tiedLora(Block model) {
    return TiedLora.Options.on(target(model));
  }

  /** Several LoRAs side by side (MultiLoRA, arXiv 2311.11501). */
  public static MultiLora.Options<Tuned> multiLora(Block model) {
    return MultiLora.Options.on(target(model));
  }

  /** Scaled and shifted weights and biases (GLoRA, arXiv 2306.07967). */
  public static Glora.Options<Tuned> glora(Block model) {
    return Glora.Options.on(target(model));
  }

  /** Products, element by element, of two low-rank matrices (LoHa, arXiv 2108.06098). */
  public static LoHa.Options<Tuned> loha(Block model) {
    return LoHa.Options.on(target(model));
  }

  /** Kronecker products (LoKr, arXiv 2309.14859). */
  public static LoKr.Options<Tuned> lokr(Block model) {
    return LoKr.Options.on(target(model));
  }

  /** One square matrix of high rank (MoRA, arXiv 2405.12130). */
  public static Mora.Options<Tuned> mora(Block model) {
    return Mora.Options.on(target(model));
  }

  /** MoRA that starts over, with other inputs together (ReMoRA, arXiv 2405.12130). */
  public static Remora.Options<Tuned> remora(Block model) {
    return Remora.Options.on(target(model));
  }

  /** LoRA out of random matrices (NOLA, arXiv 2310.02556). */
  public static Nola.Options<Tuned> nola(Block model) {
    return Nola.Options.on(target(model));
  }

  /** LoRA that changes r columns of each weight (SBoRA-FA, arXiv 2407.05413). */
  public static Sbora.Options<Tuned> sboraFa(Block model) {
    return Sbora.Options.on(target(model), true);
  }

  /** LoRA that changes r rows of each weight (SBoRA-FB, arXiv 2407.05413). */
  public static Sbora.Options<Tuned> sboraFb(Block model) {
    return Sbora.Options.on(target(model), false);
  }

  /** Orthogonal rotations of the inputs (OFT, arXiv 2306.07280). */
  public static Oft.Options<Tuned> oft(Block model) {
    return Oft.Options.on(target(model));
  }

  /** Rotations of butterfly factors, and scaled outputs (BOFT, arXiv 2311.06243). */
  public static Boft.Options<Tuned> boft(Block model) {
    return Boft.Options.on(target(model));
  }

  /** Reflections of the inputs (HRA, arXiv 2405.17484). */
  public static Hra.Options<Tuned> hra(Block model) {
    return Hra.Options.on(target(model));
  }

  /** A few Fourier coefficients (FourierFT, arXiv 2405.03003). */
  public static FourierFt.Options<Tuned> fourierFt(Block model) {
    return FourierFt.Options.on(target(model));
  }

  /** A few wavelet coefficients (WaveFT, arXiv 2505.12532). */
  public static WaveFt.Options<Tuned> waveFt(Block model) {
    return WaveFt.Options.on(target(model));
  }

  /** A low-rank matrix times the weight, element by element (HiRA). */
  public static Hira.Options<Tuned> hira(Block model) {
    return Hira.Options.on(target(model));
  }

  /** One small matrix, repeated over the weight (MiSS, arXiv 2409.15371). */
  public static Miss.Options<Tuned> miss(Block model) {
    return Miss.Options.on(target(model));
  }

  /** A few entries of the weight (SHiRA, arXiv 2406.13175). */
  public static Shira.Options<Tuned> shira(Block model) {
    return Shira.Options.on(target(model));
  }

  /** Circulant blocks (C3A, arXiv 2407.19342). */
  public static C3a.Options<Tuned> c3a(Block model) {
    return C3a.Options.on(target(model));
  }

  /** LoRA out of one bank of vectors (VB-LoRA, arXiv 2405.15179). */
  public static VbLora.Options<Tuned> vbLora(Block model) {
    return VbLora.Options.on(target(model));
  }

  /** Pairs of outputs turned and scaled (RoAD, arXiv 2409.00119). */
  public static Road.Options<Tuned> road(Block model) {
    return Road.Options.on(target(model));
  }

  /** LoRA whose length is apart from its direction (DeLoRA, arXiv 2503.18225). */
  public static DeLora.Options<Tuned> deLora(Block model) {
    return DeLora.Options.on(target(model));
  }

  /** A LoRA for each block of the weight (GraLoRA, arXiv 2505.20355). */
  public static GraLora.Options<Tuned> graLora(Block model) {
    return GraLora.Options.on(target(model));
  }

  /** {@link #vera VeRA} with random inner values in training (PVeRA, arXiv 2512.07703). */
  public static Pvera.Options<Tuned> pvera(Block model) {
    return Pvera.Options.on(target(model));
  }

  /** Sums of random matrices, of full rank (RandLoRA, arXiv 2502.00987). */
  public static RandLora.Options<Tuned> randLora(Block model) {
    return RandLora.Options.on(target(model));
  }

  /** Biases on the values of attention (BEFT, arXiv 2509.15974). */
  public static Beft.Options<Tuned> beft(Block model) {
    return Beft.Options.on(target(model));
  }

  /** The largest entries of the weight (Super-Tuning). */
  public static SuperTuning.Options<Tuned> superTuning(Block model) {
    return SuperTuning.Options.on(target(model));
  }

  /** Directions taken out of the weight and put in anew (DEFT). */
  public static Deft.Options<Tuned> deft(Block model) {
    return Deft.Options.on(target(model));
  }

  /** A small network of the weight itself (PEANuT, arXiv 2410.01870). */
  public static Peanut.Options<Tuned> peanut(Block model) {
    return Peanut.Options.on(target(model));
  }

  /** A handful of numbers in the largest directions (TinyLoRA). */
  public static TinyLora.Options<Tuned> tinyLora(Block model) {
    return TinyLora.Options.on(target(model));
  }

  /** LoRA whose numbers are all drawn from one vector (Uni-LoRA, arXiv 2506.00799). */
  public static UniLora.Options<Tuned> uniLora(Block model) {
    return UniLora.Options.on(target(model));
  }

  /** Low-rank changes of clusters of outputs, fewer of them over time on demand (AdaMSS). */
  public static Adamss.Options<Tuned> adamss(Block model) {
    return Adamss.Options.on(target(model));
  }

  /** All but the largest singular directions of each weight (OSF, arXiv 2504.07097). */
  public static Osf.Options<Tuned> osf(Block model) {
    return Osf.Options.on(target(model));
  }

  /** A rotation between the largest singular directions (PSOFT, arXiv 2505.11235). */
  public static Psoft.Options<Tuned> psoft(Block model) {
    return Psoft.Options.on(target(model));
  }

  /** Skills mixed for each of several tasks (Poly, arXiv 2202.13914). */
  public static Poly.Options<Tuned> poly(Block model) {
    return Poly.Options.on(target(model));
  }

  /** LoRAs that share A between layers and mix B by batch (Lily, arXiv 2407.09946). */
  public static Lily.Options<Tuned> lily(Block model) {
    return Lily.Options.on(target(model));
  }

  /**
   * A classifier that tells how much each of some LoRAs counts for each token (X-LoRA, arXiv
   * 2402.07148): {@code Peft.xlora(tuned, "a", "b").named("both").apply()}.
   *
   * @param experts names of LoRAs of linear modules, which stay as they are
   */
  public static XLoraOptions<Tuned> xlora(Tuned model, String... experts) {
    return XLoraOptions.on(target(model), Experts.of(model, List.of(experts)));
  }

  /** Lengths and few mixtures of directions that modules of a kind share (FRoD). */
  public static Frod.Options<Tuned> frod(Block model) {
    return Frod.Options.on(target(model));
  }

  /** Factors on keys, values and the feed-forward part (IA3, arXiv 2205.05638). */
  public static Ia3.Options<Tuned> ia3(Block model) {
    return Ia3.Options.on(target(model));
  }

  /** Biases alone (BitFit, arXiv 2106.10199). */
  public static BitFit.Options<Tuned> bitfit(Block model) {
    return BitFit.Options.on(target(model));
  }

  /** Normalisations alone (LayerNorm tuning, arXiv 2312.11420). */
  public static LnTuning.Options<Tuned> lnTuning(Block model) {
    return LnTuning.Options.on(target(model));
  }

  /**
   * The embeddings of some tokens alone, such as new ones. On a {@link Tuned} model, under a name
   * of its own, beside another method: {@code tuned.use("default", "tokens")}.
   */
  public static TrainableTokens.Options<Tuned> trainableTokens(Block model) {
    return TrainableTokens.Options.on(
        target(model),
        token -> {
          Pretrained p = model instanceof Tuned t ? t.model() : Pretrained.of(model);
          return p.tokenizer().tokenId(token);
        });
  }

  /** Trained vectors in front of every text (prompt tuning, arXiv 2104.08691). */
  public static PromptTuning.Options<Tuned> promptTuning(Block model) {
    return PromptTuning.Options.on(target(model), text -> tokens(model, text));
  }

  /**
   * Trained vectors in front of every text, with factors for each of several tasks (multitask
   * prompt tuning, arXiv 2303.02861).
   */
  public static MultitaskPromptTuning.Options<Tuned> multitaskPromptTuning(Block model) {
    return MultitaskPromptTuning.Options.on(target(model), text -> tokens(model, text));
  }

  private static PromptTuning.Text tokens(Block model, String text) {
    Pretrained p = model instanceof Tuned t ? t.model() : Pretrained.of(model);
    List<Long> ids = Arrays.stream(p.tokenizer().encode(text).ids()).boxed().toList();
    return new PromptTuning.Text(text, p.name(), ids);
  }

  /** Solved examples in front of every text, slightly changed (CPT, arXiv 2410.17222). */
  public static Cpt.Options<Tuned> cpt(Block model) {
    return Cpt.Options.on(
        target(model),
        text -> {
          Pretrained p = model instanceof Tuned t ? t.model() : Pretrained.of(model);
          long[] ids = p.tokenizer().encode(text, false).ids();
          return Arrays.stream(ids).mapToObj(Math::toIntExact).toList();
        });
  }

  /** A prompt that a trained network makes (P-tuning, arXiv 2103.10385). */
  public static PTuning.Options<Tuned> pTuning(Block model) {
    return PTuning.Options.on(target(model));
  }

  /** Trained keys and values in front of every text's own (prefix tuning, arXiv 2101.00190). */
  public static PrefixTuning.Options<Tuned> prefixTuning(Block model) {
    return PrefixTuning.Options.on(target(model));
  }

  /** A prefix that stands for a document, its first tokens frozen (arXiv 2506.06266). */
  public static Cartridge.Options<Tuned> cartridge(Block model) {
    return Cartridge.Options.on(target(model));
  }

  /** Gated prompts inside of the last attention layers (LLaMA-Adapter, arXiv 2303.16199). */
  public static AdaptionPrompt.Options<Tuned> adaptionPrompt(Block model) {
    return AdaptionPrompt.Options.on(target(model));
  }

  /** ShadowPEFT: a smaller stack of the model's own kind that runs beside it. */
  public static Shadow.Options<Tuned> shadow(Block model) {
    return Shadow.Options.on(target(model));
  }

  /** A bottleneck behind every feed-forward part (arXiv 2005.00247). */
  public static Pfeiffer.Options<Tuned> pfeiffer(Block model) {
    return Pfeiffer.Options.on(target(model));
  }

  /**
   * All parameters of chosen layers, or of all at learning rates by relative gradient norms
   * (surgical fine-tuning, arXiv 2210.11466).
   */
  public static Surgical.Options<Tuned> surgical(Block model) {
    return Surgical.Options.on(target(model));
  }

  /** One block of layers after another, to see which the data asks for (arXiv 2210.11466). */
  public static SurgicalSweep surgicalSweep(Block model) {
    return SurgicalSweep.of(model);
  }

  /** Nothing in low layers, biases in the middle, LoRA on top (SPAFIT, arXiv 2405.00201). */
  public static Spafit.Options<Tuned> spafit(Block model) {
    return Spafit.Options.on(target(model));
  }

  /** All parameters: the reference that the others are measured against. */
  public static Full.Options<Tuned> full(Block model) {
    return Full.Options.on(target(model));
  }

  /** {@link #full(Block)} on the model's block. */
  public static Full.Options<Tuned> full(Model model) {
    return full(model.getBlock());
  }

  /**
   * Attaches a method that is at hand as a value, as {@code apply()} does at the end of the fluent
   * expressions.
   */
  public static Tuned attach(Block model, Reparam method, Placement placement, long seed) {
    return new Attaching(model).apply(method, placement, PeftModel.DEFAULT, seed);
  }

  /**
   * Loads an adapter onto its base model: a directory in Hugging Face PEFT's format, or a LoRA in a
   * GGUF file. If it was trained here with a new head, the base gets that head.
   *
   * @throws IllegalArgumentException that lists everything that does not fit
   */
  public static Tuned load(Block model, Path adapter) {
    return load(model, adapter, PeftModel.DEFAULT);
  }

  /**
   * Like {@link #load(Block, Path)}.
   *
   * @param adapter a directory, or {@code hub:org/name} (also with {@code @revision} behind it) for
   *     one of the Hugging Face hub
   */
  public static Tuned load(Block model, String adapter) {
    return load(model, adapter, PeftModel.DEFAULT);
  }

  /**
   * Like {@link #load(Block, String)}, under a name of the caller's.
   *
   * @param name what the adapter is called beside others that are loaded later
   */
  public static Tuned load(Block model, String adapter, String name) {
    return load(model, Tuned.folder(adapter), name);
  }

  /**
   * Like {@link #load(Block, Path)}, under a name of the caller's.
   *
   * @param name what the adapter is called beside others that are loaded later
   */
  public static Tuned load(Block model, Path adapter, String name) {
    Tuned tuned = new Tuned(SavedHead.restore(Pretrained.of(model), adapter));
    try {
      tuned.load(name, adapter);
      return tuned;
    } catch (RuntimeException e) {
      tuned.close();
      throw e;
    }
  }

  /**
   * What goes into the layers of a model on these texts, for starts that come from data: {@code
   * Peft.lora(model).init(LoraInit.eva(Peft.calibrate(model, texts)))}.
   *
   * @param targets which layers, in the words of {@code targets}; none for the usual ones
   */
  public static Statistics calibrate(Block model, List<String> texts, String... targets) {
    Pretrained p = model instanceof Tuned t ? t.model() : Pretrained.of(model);
    List<Tokens> tokens = p.tokenizer().encodeAll(texts);
    return Statistics.of(
        p,
        List.of(targets),
        store -> {
          for (int from = 0; from < tokens.size(); from += CALIBRATION_BATCH) {
            int to = Math.min(tokens.size(), from + CALIBRATION_BATCH);
            try (Scope scope = Scope.open();
                NDManager manager = Torch.newManager()) {
              Batch batch = Batch.of(tokens.subList(from, to), p.tokenizer().padId(), Side.RIGHT);
              p.forward(store, Inputs.list(manager, batch), false);
            }
          }
        });
  }

  /**
   * Mean gradients of the model's task by the weights of its layers, for starts that come from
   * them: {@code Peft.lora(model).init(LoraInit.loraGa(Peft.gradients(model, rows)))}. A few dozen
   * rows are enough.
   *
   * @param rows labelled texts, all of which are used, 8 at a time
   * @param targets which layers, in the words of {@code targets}; none for the usual ones
   */
  public static Gradients gradients(Block model, Examples rows, String... targets) {
    Pretrained p = model instanceof Tuned t ? t.model() : Pretrained.of(model);
    return gradients(p, Models.objective(p, rows), targets);
  }

  /** {@link #gradients(Block, Examples, String...)} of what is learned of conversations. */
  public static Gradients gradients(Block model, Conversations rows, String... targets) {
    Pretrained p = model instanceof Tuned t ? t.model() : Pretrained.of(model);
    return gradients(p, Models.objective(p, rows, Models.rowFormat(p)), targets);
  }

  /** {@link #gradients(Block, Examples, String...)} of an objective of the caller's own. */
  public static Gradients gradients(Block model, Objective objective, String... targets) {
    int rows = objective.rows();
    int batches = (rows + CALIBRATION_BATCH - 1) / CALIBRATION_BATCH;
    return Gradients.of(
        model,
        List.of(targets),
        batches,
        (block, store, manager, number) -> {
          int from = number * CALIBRATION_BATCH;
          int to = Math.min(rows, from + CALIBRATION_BATCH);
          return objective.loss(block, store, manager, IntStream.range(from, to).toArray(), false);
        });
  }

  private static Fluent.Target<Tuned> target(Block model) {
    return new Attaching(model);
  }

  /** Ends a fluent expression: makes a {@link Tuned} of the model, or adds to the one it is. */
  private record Attaching(Block model) implements Fluent.Target<Tuned> {
    @Override
    public Tuned apply(Tuner tuner, Placement placement, String name, long seed) {
      if (model instanceof Tuned tuned) {
        tuned.add(name, (Reparam) tuner, placement, seed);
        return tuned;
      }
      Tuned tuned = new Tuned(Pretrained.of(model));
      try {
        tuned.add(name, (Reparam) tuner, placement, seed);
        return tuned;
      } catch (RuntimeException e) {
        tuned.close();
        throw e;
      }
    }

    private Blueprint blueprint() {
      if (model instanceof Tuned tuned) {
        return tuned.blueprint();
      }
      Pretrained p = Pretrained.of(model);
      return new Blueprint(p, p.usualTargets(), p.newModules());
    }

    @Override
    public String describe(Tuner tuner, Placement placement) {
      String what = tuner.name() + " (" + tuner.summary() + ")";
      try {
        String name = model instanceof Pretrained p ? p.name() : model.getClass().getSimpleName();
        return String.format(
            Locale.ROOT,
            "%s on %s: %s; .apply() attaches it",
            what,
            name,
            blueprint().count((Reparam) tuner, placement));
      } catch (IllegalArgumentException e) {
        return what + ": cannot be attached so: " + e.getMessage();
      }
    }

    @Override
    public List<Site> sites(Tuner tuner, Placement placement) {
      return blueprint().match((Reparam) tuner, placement);
    }
  }
}
