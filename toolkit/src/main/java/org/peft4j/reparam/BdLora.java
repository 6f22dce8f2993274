package org.peft4j.reparam;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.peft4j.spi.At;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Init;
import org.peft4j.spi.Kind;
import org.peft4j.spi.Reparam;
import org.peft4j.spi.Site;

/**
 * BD-LoRA: LoRA with one factor made of n blocks on its diagonal, so that n machines that share a
 * layer share the adapter likewise. Where rows are shared (q, k, v, gate, up), B is {@code diag(B_1
 * ... B_n)} and kept as {@code [out, r / n]}; where columns are (o, down), A is, and kept as {@code
 * [r, in / n]}.
 *
 * @param blocks n, at least 1; divides r and the size of every factor that it cuts
 * @param inA where A has blocks: words in the last name of a module's path
 * @param inB where B has; with neither, the sites' roles decide
 * @param strict whether a site that neither names is an error rather than a plain LoRA
 */
public record BdLora(Lora lora, int blocks, List<String> inA, List<String> inB, boolean strict)
    implements OnLora {
  private static final String CONFIG = "use_bdlora";
  private static final Set<String> COLUMNS = Set.of("o", "down", "fc2");

  /** LoRA's defaults, two blocks, by role. */
  public BdLora() {
    this(new Lora(), 2, List.of(), List.of(), true);
  }

  public BdLora {
    Checks.atLeast("nblocks", 1, blocks);
    Checks.divides("nblocks", blocks, "the rank", lora.rank());
    inA = List.copyOf(inA);
    inB = List.copyOf(inB);
    boolean plain = lora.init() == LoraInit.KAIMING || lora.init() == LoraInit.GAUSSIAN;
    if (!plain || lora.loraBias()) {
      throw new IllegalArgumentException(
          "init, lora_bias\nexpected: kaiming or gaussian, without a bias\nfound: "
              + lora.init()
              + (lora.loraBias() ? " with a bias" : ""));
    }
  }

  @Override
  public String name() {
    return "bdlora";
  }

  @Override
  public BdLora on(Lora other) {
    return new BdLora(other, blocks, inA, inB, strict);
  }

  @Override
  public Set<Kind> kinds() {
    return Set.of(Kind.LINEAR);
  }

  /** Names of the sites by their roles, where none are given. */
  @Override
  public Reparam sized(List<Site> sites) {
    if (!inA.isEmpty() || !inB.isEmpty()) {
      return this;
    }
    Set<String> a = new TreeSet<>();
    Set<String> b = new TreeSet<>();
    sites.forEach(s -> (s.role() != null && COLUMNS.contains(s.role()) ? a : b).add(name(s)));
    b.removeIf(n -> cuts(List.copyOf(a), n)); // BERT calls all of them dense
    return new BdLora(lora, blocks, List.copyOf(a), List.copyOf(b), strict);
  }

  private static String name(Site site) {
    return site.path().substring(site.path().lastIndexOf('.') + 1);
  }

  private static boolean cuts(List<String> words, String name) {
    return words.stream().anyMatch(name::contains);
  }

  @Override
  public void declare(Site site, Declaration theta) {
    boolean a = cuts(inA, name(site));
    boolean b = cuts(inB, name(site));
    if (a == b && (a || strict)) {
      throw new IllegalArgumentException(
          "target_modules_bd_a, target_modules_bd_b\nexpected: one of them names "
              + site.path()
              + "\nfound: "
              + (a ? "both do" : inA + " and " + inB + " do not")
              + (a ? "" : "\nfix: name it, or allow plain LoRA there (match_strict false)"));
    }
    Checks.divides(
        "nblocks",
        blocks,
        a ? "the inputs of " + site : "the outputs of " + site,
        a ? site.in() : site.out());
    int r = lora.rank();
    Init random = Init.uniform(Math.sqrt(6.0 * blocks / site.in()));
    theta.trained(
        Lora.A,
        new Shape(r, a ? site.in() / blocks : site.in()),
        a ? random : lora.init().a(lora, site));
    theta.trained(Lora.B, new Shape(site.out(), b ? r / blocks : r), Init.ZEROS);
  }

  @Override
  public At factors(At at) {
    NDArray a = at.theta(Lora.A);
    NDArray b = at.theta(Lora.B);
    if (a.getShape().get(1) < at.site().in()) {
      return at.with(Lora.A, diagonal(a));
    }
    return b.getShape().get(1) < a.getShape().get(0) ? at.with(Lora.B, diagonal(b)) : at;
  }

  /** {@code [n h, w]} as the blocks {@code [h, w]} of {@code [n h, n w]}. */
  private NDArray diagonal(NDArray x) {
    long h = x.getShape().get(0) / blocks;
    long w = x.getShape().get(1);
    NDArray eye = x.getManager().eye(blocks).toType(x.getDataType(), false);
    NDArray spread = x.reshape(blocks, h, 1, w).mul(eye.reshape(blocks, 1, blocks, 1));
    return spread.reshape(blocks * h, blocks * w);
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> own = new LinkedHashMap<>();
    own.put("match_strict", strict);
    own.put("nblocks", (long) blocks);
    own.put("target_modules_bd_a", inA);
    own.put("target_modules_bd_b", inB);
    Map<String, Object> c = new LinkedHashMap<>(lora.toConfig());
    c.put(CONFIG, own);
    return c;
  }

  static boolean in(Entries c) {
    return c.has(CONFIG);
  }

  static BdLora fromConfig(Entries c) {
    Entries own = c.section(CONFIG);
    BdLora read =
        new BdLora(
            Lora.fromConfig(c),
            own.integer("nblocks", 1),
            own.texts("target_modules_bd_a"),
            own.texts("target_modules_bd_b"),
            own.flag("match_strict", true));
    own.requireAllRead();
    return read;
  }

  @Override
  public String summary() {
    return lora.summary() + ", " + blocks + " blocks";
  }

  /** The options, for {@code Peft.bdLora(model)}. */
  public static final class Options<R> extends LoraOptions<BdLora, Options<R>, R> {
    private Options(Draft<BdLora, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new BdLora(), target));
    }

    private Options<R> with(int blocks, List<String> a, List<String> b, boolean strict) {
      return with(new BdLora(tuner().lora, blocks, a, b, strict));
    }

    /** Number of blocks, that of the machines; default 2. */
    public Options<R> blocks(int blocks) {
      return with(blocks, tuner().inA, tuner().inB, tuner().strict);
    }

    /** Where A has blocks: modules whose name contains one of these; default o, down and fc2. */
    public Options<R> inA(String... words) {
      return with(tuner().blocks, List.of(words), tuner().inB, tuner().strict);
    }

    /** Where B has blocks, likewise; default all other sites. */
    public Options<R> inB(String... words) {
      return with(tuner().blocks, tuner().inA, List.of(words), tuner().strict);
    }

    /** Leaves plain LoRA where neither names a site. */
    public Options<R> plainElsewhere() {
      return with(tuner().blocks, tuner().inA, tuner().inB, false);
    }
  }
}
