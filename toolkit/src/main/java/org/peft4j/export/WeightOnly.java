package org.peft4j.export;

import ai.djl.ndarray.types.DataType;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.OnnxGraph;
import org.peft4j.onnx.OnnxNode;

/**
 * Stores weight matrices as integers of 4 or 8 bits in blocks along the input axis. Products with
 * them become ONNX Runtime's {@code com.microsoft.MatMulNBits}, which other runtimes lack. The
 * bytes are those of ONNX Runtime's own quantiser, unless they are fitted. A weight is quantised
 * when the graph is written; one that is not finite fails then.
 *
 * <pre>{@code
 * WeightOnly int4 = WeightOnly.int4();
 * System.out.println(int4.loss(graph));
 * int4.apply(graph).write(Path.of("model.onnx"));
 * }</pre>
 *
 * Passes follow each other: {@code int8().only(n -> n.contains("lm_head"))} before {@code int4()}
 * keeps 8 bits for the head.
 *
 * @param bits 4 or 8
 * @param blockSize values that share a scale: 16, 32, 64, 128 or 256
 * @param zeroPoints whether blocks also have a zero point, else they are symmetric around 0
 * @param fitted whether scales and zero points are searched that lose least, else they are those of
 *     the range of a block
 * @param accuracyLevel what ONNX Runtime may compute the product in: 0 unset, 1 float32, 2 float16,
 *     3 bfloat16, 4 int8 (what flows in is quantised too, block by block)
 * @param minimum matrices of fewer elements stay float32
 * @param embeddings whether embedding tables are stored so too, as {@code GatherBlockQuantized}
 * @param weights the names of stored matrices that may be quantised
 */
public record WeightOnly(
    int bits,
    int blockSize,
    boolean zeroPoints,
    boolean fitted,
    int accuracyLevel,
    long minimum,
    boolean embeddings,
    Predicate<String> weights)
    implements GraphPass {
  private static final long MINIMUM = 1 << 14;

  public WeightOnly {
    new BlockCode(bits, blockSize, zeroPoints, fitted);
    PackedProduct.requireAccuracy(accuracyLevel);
  }

  /**
   * 4 bits in symmetric blocks of 32, accuracy level 4, matrices of 16,384 elements or more but not
   * those of LoRA, no embeddings.
   */
  public static WeightOnly int4() {
    return new WeightOnly(4, 32, false, false, 4, MINIMUM, false, name -> !name.contains("lora_"));
  }

  /**
   * What language models bear: 4 bits in blocks of 32 with zero points, and 8 bits for the matrix
   * that scores tokens, whose errors go straight into the answer; token embeddings tied to it share
   * its bytes.
   */
  public static List<GraphPass> mixed() {
    return List.of(
        int8().blockSize(32).withEmbeddings().only(WeightOnly::scoresTokens),
        int4().withZeroPoints().fitted(true));
  }

  private static boolean scoresTokens(String weight) {
    return weight.matches("(.*\\.)?(lm_head|embed_tokens|wte|shared|word_embeddings)\\.weight");
  }

  /** 8 bits in symmetric blocks of 128, else as {@link #int4}. */
  public static WeightOnly int8() {
    return int4().bits(8).blockSize(128);
  }

  private WeightOnly bits(int other) {
    return new WeightOnly(
        other, blockSize, zeroPoints, fitted, accuracyLevel, minimum, embeddings, weights);
  }

  /** The same with blocks of another size. */
  public WeightOnly blockSize(int size) {
    return new WeightOnly(
        bits, size, zeroPoints, fitted, accuracyLevel, minimum, embeddings, weights);
  }

  /** The same with a zero point per block. */
  public WeightOnly withZeroPoints() {
    return new WeightOnly(
        bits, blockSize, true, fitted, accuracyLevel, minimum, embeddings, weights);
  }

  /**
   * The same with scales and zero points that lose least in squares, which takes a few times as
   * long; or, as otherwise, with those that ONNX Runtime's own quantiser takes from each range.
   */
  public WeightOnly fitted(boolean on) {
    return new WeightOnly(
        bits, blockSize, zeroPoints, on, accuracyLevel, minimum, embeddings, weights);
  }

  /** The same with another accuracy level, see {@link #accuracyLevel()}. */
  public WeightOnly accuracyLevel(int level) {
    return new WeightOnly(bits, blockSize, zeroPoints, fitted, level, minimum, embeddings, weights);
  }

  /** The same for matrices of at least that many elements. */
  public WeightOnly minimum(long elements) {
    return new WeightOnly(
        bits, blockSize, zeroPoints, fitted, accuracyLevel, elements, embeddings, weights);
  }

  /** The same with embedding tables too; one that is also the head is stored once. */
  public WeightOnly withEmbeddings() {
    return new WeightOnly(
        bits, blockSize, zeroPoints, fitted, accuracyLevel, minimum, true, weights);
  }

  /** The same for the matrices of these names, out of those it is for. */
  public WeightOnly only(Predicate<String> names) {
    return new WeightOnly(
        bits,
        blockSize,
        zeroPoints,
        fitted,
        accuracyLevel,
        minimum,
        embeddings,
        weights.and(names));
  }

  // ---- the pass

  @Override
  public double tolerance() {
    return 1;
  }

  @Override
  public OnnxGraph apply(OnnxGraph graph) {
    GraphEdit edit = new GraphEdit(graph);
    Packing packing = new Packing(edit, code());
    Set<String> heads = new HashSet<>();
    for (OnnxNode node : graph.nodes()) {
      WeightProduct product = product(node, edit);
      if (product != null && product.outputsFirst()) {
        heads.add(product.weight().name());
      }
    }
    for (OnnxNode node : graph.nodes()) {
      WeightProduct product = product(node, edit);
      Initializer table = product == null ? table(node, edit) : null;
      if (product != null) {
        Packing.Names n = packing.product(product);
        edit.add(
            new PackedProduct(bits, blockSize, accuracyLevel, n.codes(), n.scales(), n.zeros())
                .of(product));
      } else if (table != null) {
        boolean head = heads.contains(table.name());
        edit.add(lookup(node, packing.table(table, head, node.site())));
      } else {
        edit.add(node);
      }
    }
    String earlier = graph.metadata().get("quantization");
    String now = code() + " accuracy " + accuracyLevel;
    return edit.finish().metadata("quantization", earlier == null ? now : earlier + ", " + now);
  }

  private OnnxNode lookup(OnnxNode node, Packing.Names table) {
    TreeMap<String, Object> attributes = new TreeMap<>();
    attributes.put("bits", (long) bits);
    attributes.put("block_size", (long) blockSize);
    attributes.put("gather_axis", 0L);
    attributes.put("quantize_axis", 1L);
    return new OnnxNode(
        node.name(),
        "com.microsoft",
        "GatherBlockQuantized",
        List.of(table.codes(), node.inputs().get(1), table.scales(), table.zeros()),
        node.outputs(),
        attributes,
        node.site());
  }

  @Override
  public QuantisationLoss loss(OnnxGraph graph) {
    GraphEdit edit = new GraphEdit(graph);
    Map<String, Initializer> matrices = new LinkedHashMap<>();
    for (OnnxNode node : graph.nodes()) {
      WeightProduct product = product(node, edit);
      Initializer table = product == null ? table(node, edit) : null;
      if (product != null) {
        matrices.putIfAbsent(Packing.key(product), product.rows());
      } else if (table != null) {
        matrices.putIfAbsent(table.name(), table);
      }
    }
    return new QuantisationLoss(
        matrices.values().stream().map(rows -> new BlockMatrix(rows, code()).loss()).toList());
  }

  private BlockCode code() {
    return new BlockCode(bits, blockSize, zeroPoints, fitted);
  }

  private @Nullable WeightProduct product(OnnxNode node, GraphEdit edit) {
    WeightProduct product = WeightProduct.of(node, edit);
    return product != null && wanted(product.weight()) ? product : null;
  }

  /** The table that a lookup of rows reads, where it is one to quantise. */
  private @Nullable Initializer table(OnnxNode node, GraphEdit edit) {
    if (!embeddings
        || !node.domain().isEmpty()
        || !node.operator().equals("Gather")
        || (node.attributes().get("axis") instanceof Number axis && axis.intValue() != 0)) {
      return null;
    }
    Initializer table = edit.constant(node.inputs().get(0));
    return table != null
            && table.type() == DataType.FLOAT32
            && table.shape().dimension() == 2
            && table.shape().get(1) * bits % 8 == 0
            && wanted(table)
        ? table
        : null;
  }

  private boolean wanted(Initializer weight) {
    return weight.shape().size() >= minimum && weights.test(weight.name());
  }
}
