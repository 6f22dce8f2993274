package org.peft4j.hook;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.training.ParameterStore;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.peft4j.spi.Anatomy;
import org.peft4j.spi.Checks;
import org.peft4j.spi.Context;
import org.peft4j.spi.Declaration;
import org.peft4j.spi.Entries;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Hook;
import org.peft4j.spi.Init;
import org.peft4j.spi.Mirror;
import org.peft4j.spi.Operation;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Place;
import org.peft4j.spi.Site;
import org.peft4j.spi.Weight;
import org.peft4j.tensor.ActivationFunction;
import org.peft4j.tensor.Scalars;

/**
 * ShadowPEFT (Li et al., arXiv 2604.19254) as Hugging Face PEFT has it: a smaller stack of the
 * model's own kind reads the tokens first and makes shadow states s {@code [batch, length,
 * hidden]}. Each adapted layer f then takes {@code h' = h + alpha (dropout(h - s) D^T) U^T}, D
 * {@code [r, hidden]}, U {@code [hidden, r]}, 0 at first, and moves the shadow on, {@code s <- (1 -
 * g) s + g T(f(h'))}, {@code g = sigmoid(G(f(h')))}, T and G two linear layers with a GELU between
 * them. Training adds, with a small weight, the loss of the first s under the model's head, so that
 * {@code detach()} gives a small model that stands alone. In a classifier the head for that is a
 * copy of its own, here behind the classifier's own pooling; in Gemma 2 scores pass the model's
 * cap, which PEFT leaves out there.
 *
 * @param each what each adapted layer has
 * @param mirror size of the smaller stack
 * @param sharesEmbeddings whether it reads the model's token embeddings, where it is as wide
 * @param auxiliaryLossWeight weight of the first s's own loss; 0 for none
 */
public record Shadow(
    Each each, Mirror.Size mirror, boolean sharesEmbeddings, double auxiliaryLossWeight)
    implements Hook {
  /**
   * What a layer has.
   *
   * @param rank r
   * @param alpha strength of what is added
   * @param dropout probability on h - s, in training
   * @param update width within T and G; 0 for the rank
   */
  public record Each(int rank, double alpha, double dropout, int update) {
    public Each {
      Checks.rank(rank);
      Checks.finite("shadow_alpha", alpha);
      Checks.probability("shadow_dropout", dropout);
      Checks.atLeast("update_hidden_size", 0, update);
    }
  }

  private static final String ROOT = "base_model.";
  private static final String BACKBONE = ROOT + "shadow_backbone.default.";
  private static final String PROJECTION = ROOT + "shadow_projection.default.weight";
  private static final String HEAD = ROOT + "shadow_head.default";
  private static final String DOWN = ".shadow_down.default.weight";
  private static final String UP = ".shadow_up.default.weight";
  private static final String TRANSFORM = ".shadow_update_transform.default.";
  private static final String GATE = ".shadow_update_gate.default.";
  private static final String STATE = "shadow state in front of layer ";

  /** Rank 8, one layer as wide as the model's. */
  public Shadow() {
    this(new Each(8, 0.1, 0.2, 0), new Mirror.Size(1, 0, 0, 0), true, 0.05);
  }

  public Shadow {
    Checks.atLeast("shadow_num_hidden_layers", 1, mirror.layers());
    Checks.atLeast("shadow_hidden_size", 0, mirror.hidden());
    Checks.atLeast("shadow_num_attention_heads", 0, mirror.heads());
    Checks.atLeast("shadow_intermediate_size", 0, mirror.inner());
    Checks.finite("auxiliary_loss_weight", auxiliaryLossWeight);
  }

  @Override
  public String name() {
    return "shadow";
  }

  @Override
  public String peftType() {
    return "SHADOW";
  }

  @Override
  public boolean choosesLayers() {
    return true;
  }

  @Override
  public boolean readsTwice() {
    return true;
  }

  @Override
  public boolean remembers() {
    return true;
  }

  // ---- its tensors

  private Mirror mirror(Anatomy model) {
    Mirror.Maker maker = model.mirrors();
    if (model.stacks() > 1 || maker == null) {
      throw new IllegalArgumentException(
          "shadow needs a second, smaller model of the same kind, which there is for models of one"
              + " stack that read tokens, without experts\nfound: another\nfix: use pfeiffer");
    }
    return maker.of(mirror);
  }

  private boolean shares(Anatomy model, Mirror backbone) {
    return sharesEmbeddings && backbone.hidden() == model.hidden();
  }

  @Override
  public void declare(Anatomy model, Declaration theta) {
    Mirror backbone = mirror(model);
    backbone
        .tensors()
        .forEach(
            (name, shape) -> {
              if (!shares(model, backbone) || !name.equals(backbone.embeddings())) {
                theta.trained(BACKBONE + name, shape, backbone.init(name));
              }
            });
    long d = model.hidden();
    if (backbone.hidden() != d) {
      theta.trained(PROJECTION, new Shape(d, backbone.hidden()), Init.KAIMING);
    }
    for (Site module : model.sites()) {
      String head = head(model, module);
      if (head != null) {
        theta.trained(head + ".weight", module.frozen().shape(), (c, s) -> w0(module, c).weight());
        if (module.hasBias()) {
          Shape bias = new Shape(module.frozen().biasSize());
          theta.trained(
              head + ".bias", bias, (c, s) -> Objects.requireNonNull(w0(module, c).bias()));
        }
      }
    }
    requireNeighbours(model.paths());
    String last = model.paths().get(model.paths().size() - 1);
    for (String layer : model.paths()) {
      String at = at(model, layer);
      theta.trained(at + DOWN, new Shape(each.rank, d), Init.KAIMING);
      theta.trained(at + UP, new Shape(d, each.rank), Init.ZEROS);
      int width = each.update > 0 ? each.update : each.rank;
      for (String network : List.of(TRANSFORM, GATE)) {
        boolean trained = !layer.equals(last); // behind it nobody looks at the shadow
        linear(theta, trained, at + network + "0", d, width);
        linear(theta, trained, at + network + "2", width, d);
      }
    }
  }

  private static void linear(Declaration theta, boolean trained, String name, long in, long out) {
    Init bias = Init.uniform(1 / Math.sqrt(in));
    if (trained) {
      theta.trained(name + ".weight", new Shape(out, in), Init.KAIMING);
      theta.trained(name + ".bias", new Shape(out), bias);
    } else {
      theta.saved(name + ".weight", new Shape(out, in), Init.KAIMING);
      theta.saved(name + ".bias", new Shape(out), bias);
    }
  }

  private static Weight w0(Site module, Init.Context c) {
    Pass plain = Pass.of(new ParameterStore(c.manager(), false), false);
    return new Weight(module.frozen().weight(plain), module.frozen().bias(plain));
  }

  /** The shadow travels from the first to the last of them without a gap. */
  private static void requireNeighbours(List<String> layers) {
    for (int i = 1; i < layers.size(); i++) {
      if (Site.layerOf(layers.get(i)) != Site.layerOf(layers.get(i - 1)) + 1) {
        throw new IllegalArgumentException(
            "layers\nexpected: neighbours, without a gap\nfound: "
                + layers.stream().map(Site::layerOf).toList());
      }
    }
  }

  /** What the tensors of a layer begin with. */
  private static String at(Anatomy model, String layer) {
    return ROOT + "model." + path(model, layer);
  }

  /** A layer's whole path: all have the same around the body, such as {@code model.} */
  private static String path(Anatomy model, String layer) {
    String inside = "." + model.paths().get(0) + ".";
    for (Site site : model.sites()) {
      int at = ("." + site.path()).indexOf(inside);
      if (at >= 0) {
        return site.path().substring(0, at) + layer;
      }
    }
    return layer;
  }

  /** What the tensors of a classifier's module for the shadow begin with; null for all others. */
  private static @Nullable String head(Anatomy model, Site module) {
    Mirror.Maker mirrors = model.mirrors();
    String path = module.path();
    String rest = path.replaceFirst("^(score|classifier)(?=\\.|$)", "");
    return mirrors == null || !mirrors.classifiesTexts() || rest.equals(path) ? null : HEAD + rest;
  }

  // ---- where it acts

  @Override
  public NDArray entering(View view, Context context, NDArray h) {
    return first(view) == 0 ? injected(view, context, 0, h) : h;
  }

  @Override
  public NDArray layer(View view, Context context, Place at, NDArray h) {
    int first = first(view);
    int last = first + view.model().paths().size() - 1;
    int n = at.layer();
    if (n >= first && n < last) {
      NDArray next = advanced(view, n, h, state(view, context, n));
      view.pass().once(STATE + (n + 1), () -> next);
    }
    return n + 1 >= first && n < last ? injected(view, context, n + 1, h) : h;
  }

  private static int first(View view) {
    return Site.layerOf(view.model().paths().get(0));
  }

  private static String at(View view, int layer) {
    return at(view.model(), view.model().paths().get(layer - first(view)));
  }

  private NDArray injected(View view, Context context, int layer, NDArray h) {
    NDArray s = state(view, context, layer);
    if (!h.getShape().equals(s.getShape())) {
      throw new IllegalStateException(
          "shadow: it reads the text's own tokens\nexpected: hidden states "
              + s.getShape()
              + "\nfound: "
              + h.getShape()
              + "\nfix: use it without adapters that put virtual tokens in front");
    }
    String at = at(view, layer);
    NDArray apart = view.dropout(at, each.dropout, h.sub(s));
    NDArray low = Operation.LINEAR.apply(apart, view.get(at + DOWN), null);
    return h.add(Scalars.mul(Operation.LINEAR.apply(low, view.get(at + UP), null), each.alpha));
  }

  /** s in front of a layer. */
  private NDArray state(View view, Context context, int layer) {
    return view.pass()
        .once(
            STATE + layer,
            () -> {
              if (layer != first(view)) {
                throw new IllegalStateException("the layers came in another order");
              }
              return detached(view, context);
            });
  }

  /** s behind a layer that gave h. */
  private static NDArray advanced(View view, int layer, NDArray h, NDArray s) {
    NDArray gate = Activation.sigmoid(network(view, at(view, layer) + GATE, h));
    NDArray candidate = network(view, at(view, layer) + TRANSFORM, h);
    return s.add(gate.mul(candidate.sub(s)));
  }

  private static NDArray network(View view, String name, NDArray x) {
    NDArray inner = linear(view, name + "0", x);
    return linear(view, name + "2", ActivationFunction.GELU.apply(inner));
  }

  private static NDArray linear(View view, String name, NDArray x) {
    return Operation.LINEAR.apply(x, view.get(name + ".weight"), view.get(name + ".bias"));
  }

  @Override
  public NDArray detached(View view, Context context) {
    Anatomy model = view.model();
    NDArray own = mirror(model).encode(model, view.pass(), n -> mirrored(view, n), context);
    NDArray projection = projection(view);
    return projection == null ? own : Operation.LINEAR.apply(own, projection, null);
  }

  @Override
  public @Nullable NDArray mirrored(View view, String tensor) {
    return view.theta().apply(BACKBONE + tensor);
  }

  @Override
  public @Nullable NDArray projection(View view) {
    return view.theta().apply(PROJECTION);
  }

  @Override
  public @Nullable Weight detachedHead(View view, Site module) {
    String head = head(view.model(), module);
    return head == null || !view.has(head + ".weight")
        ? null
        : new Weight(view.get(head + ".weight"), view.theta().apply(head + ".bias"));
  }

  // ---- its file

  @Override
  public boolean wrapsModel() {
    return true;
  }

  @Override
  public boolean isSpare(Anatomy model, String tensor) {
    Mirror backbone = mirror(model);
    return tensor.startsWith(BACKBONE)
        && (tensor.equals(BACKBONE + backbone.embeddings())
            || backbone.isSpare(tensor.substring(BACKBONE.length())));
  }

  private boolean isTransposed(Anatomy model, String tensor) {
    return tensor.startsWith(BACKBONE)
        && mirror(model).isTransposed(tensor.substring(BACKBONE.length()));
  }

  @Override
  public Shape filedShape(Anatomy model, Declaration.Entry entry) {
    Shape s = entry.shape();
    return isTransposed(model, entry.name()) ? new Shape(s.get(1), s.get(0)) : s;
  }

  @Override
  public NDArray stored(View view, String tensor) {
    NDArray value = view.get(tensor);
    return isTransposed(view.model(), tensor) ? value.transpose() : value;
  }

  @Override
  public NDArray restored(Anatomy model, Declaration.Entry entry, NDArray filed) {
    return isTransposed(model, entry.name()) ? filed.transpose() : filed;
  }

  @Override
  public List<String> targetModules(Anatomy model) {
    return model.paths().stream().map(p -> path(model, p)).toList();
  }

  @Override
  public Map<String, Object> toConfig() {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("r", each.rank);
    c.put("shadow_alpha", each.alpha);
    c.put("shadow_dropout", each.dropout);
    c.put("init_weights", true);
    c.put("shadow_model", "mirror");
    c.put("shadow_num_hidden_layers", mirror.layers());
    c.put("shadow_hidden_size", given(mirror.hidden()));
    c.put("shadow_num_attention_heads", given(mirror.heads()));
    c.put("shadow_intermediate_size", given(mirror.inner()));
    c.put("share_embeddings", sharesEmbeddings);
    c.put("update_hidden_size", given(each.update));
    c.put("auxiliary_loss_weight", auxiliaryLossWeight);
    return c;
  }

  private static Object given(int size) {
    return size == 0 ? Entries.NULL : size;
  }

  static Shadow fromConfig(Entries c) {
    c.accept("init_weights");
    String model = c.text("shadow_model", "mirror");
    if (!model.equals("mirror")) {
      throw new IllegalArgumentException(
          "shadow_model\nexpected: mirror, a smaller model of the same kind\nfound: "
              + model
              + ", a model of its own\nfix: train with a mirror");
    }
    return new Shadow(
        new Each(
            c.integer("r", 8),
            c.number("shadow_alpha", 0.1),
            c.number("shadow_dropout", 0.2),
            c.integer("update_hidden_size", 0)),
        new Mirror.Size(
            c.integer("shadow_num_hidden_layers", 1),
            c.integer("shadow_hidden_size", 0),
            c.integer("shadow_num_attention_heads", 0),
            c.integer("shadow_intermediate_size", 0)),
        c.flag("share_embeddings", true),
        c.number("auxiliary_loss_weight", 0.05));
  }

  @Override
  public String summary() {
    return "rank "
        + each.rank
        + ", alpha "
        + each.alpha
        + ", beside a stack of "
        + mirror.layers()
        + (mirror.layers() == 1 ? " layer" : " layers")
        + (mirror.hidden() == 0 ? "" : " of width " + mirror.hidden());
  }

  /** The options, for {@code Peft.shadow(model)}. */
  public static final class Options<R> extends Fluent<Shadow, Options<R>, R> {
    private Options(Draft<Shadow, R> draft) {
      super(draft, Options::new);
    }

    public static <R> Options<R> on(Target<R> target) {
      return new Options<>(draft(new Shadow(), target));
    }

    private Options<R> each(Each each) {
      Shadow t = tuner();
      return with(new Shadow(each, t.mirror, t.sharesEmbeddings, t.auxiliaryLossWeight));
    }

    /** Rank of what is added to hidden states; default 8. */
    public Options<R> rank(int r) {
      Each e = tuner().each;
      return each(new Each(r, e.alpha, e.dropout, e.update));
    }

    /** Strength of what is added; default 0.1. */
    public Options<R> alpha(double alpha) {
      Each e = tuner().each;
      return each(new Each(e.rank, alpha, e.dropout, e.update));
    }

    /** Dropout in training; default 0.2. */
    public Options<R> dropout(double p) {
      Each e = tuner().each;
      return each(new Each(e.rank, e.alpha, p, e.update));
    }

    /** Width of the networks that move the shadow on; default the rank. */
    public Options<R> updateSize(int width) {
      Each e = tuner().each;
      return each(new Each(e.rank, e.alpha, e.dropout, width));
    }

    /**
     * Size of the smaller stack; default one layer of the model's sizes.
     *
     * @param layers number of its layers
     * @param hidden width of its hidden states; 0 for the model's
     * @param heads number of its query heads; 0 for the model's
     * @param inner width of its feed-forward parts; 0 for the model's
     */
    public Options<R> mirror(int layers, int hidden, int heads, int inner) {
      Shadow t = tuner();
      Mirror.Size size = new Mirror.Size(layers, hidden, heads, inner);
      return with(new Shadow(t.each, size, t.sharesEmbeddings, t.auxiliaryLossWeight));
    }

    /** Gives the smaller stack token embeddings of its own. */
    public Options<R> ownEmbeddings() {
      Shadow t = tuner();
      return with(new Shadow(t.each, t.mirror, false, t.auxiliaryLossWeight));
    }

    /** Weight of the shadow's own loss; default 0.05, 0 for none. */
    public Options<R> auxiliaryLoss(double weight) {
      Shadow t = tuner();
      return with(new Shadow(t.each, t.mirror, t.sharesEmbeddings, weight));
    }
  }
}
