package org.peft4j.export;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.peft4j.onnx.Initializer;
import org.peft4j.onnx.OnnxNode;

/** Stores the matrices of a graph in blocks, each once. */
final class Packing {
  private final GraphEdit edit;
  private final BlockCode code;
  private final Grids grids = new Grids();
  private final Map<String, Names> matrices = new HashMap<>();
  private final Map<String, Names> tables = new HashMap<>();

  Packing(GraphEdit edit, BlockCode code) {
    this.edit = edit;
    this.code = code;
  }

  /** Names of what a matrix is stored as; no zero points are the empty name. */
  record Names(String codes, String scales, String zeros) {}

  /** The codes as {@code MatMulNBits} takes them. */
  Names product(WeightProduct product) {
    return matrices.computeIfAbsent(key(product), k -> matrix(product.rows()));
  }

  /** A matrix may be multiplied from both sides, and is then stored along both axes. */
  static String key(WeightProduct product) {
    return product.weight().name() + (product.outputsFirst() ? "" : " by columns");
  }

  private Names matrix(Initializer rows) {
    BlockMatrix matrix = new BlockMatrix(rows, code, grids);
    return new Names(
        store(matrix.codes(name(rows, "_Q" + code.bits()))), scales(rows), zeros(rows));
  }

  /**
   * The codes as {@code GatherBlockQuantized} takes them.
   *
   * @param head whether a product takes the same table; it is stored once then
   */
  Names table(Initializer table, boolean head, String site) {
    return tables.computeIfAbsent(
        table.name(), k -> head ? reshaped(table, site) : rows(table, scales(table), zeros(table)));
  }

  private Names rows(Initializer table, String scales, String zeros) {
    BlockMatrix matrix = new BlockMatrix(table, code, grids);
    return new Names(store(matrix.table(name(table, "_rows_Q" + code.bits()))), scales, zeros);
  }

  private Names reshaped(Initializer table, String site) {
    Names shared = matrices.computeIfAbsent(table.name(), k -> matrix(table));
    if (table.shape().get(1) % code.blockSize() != 0) { // its rows have no filling
      return rows(table, shared.scales, shared.zeros);
    }
    String codes = name(table, "_rows_Q" + code.bits());
    String shape = edit.store(Constants.integers(edit.unique(codes + "_shape"), 0, -1));
    edit.add(
        new OnnxNode(
            codes,
            "",
            "Reshape",
            List.of(shared.codes, shape),
            List.of(codes),
            new TreeMap<>(),
            site));
    return new Names(codes, shared.scales, shared.zeros);
  }

  private String scales(Initializer rows) {
    return store(new BlockMatrix(rows, code, grids).scales(name(rows, "_scales")));
  }

  private String zeros(Initializer rows) {
    return code.zeroPoints()
        ? store(new BlockMatrix(rows, code, grids).zeros(name(rows, "_zero_points")))
        : "";
  }

  private String name(Initializer rows, String suffix) {
    return edit.unique(rows.name() + suffix);
  }

  private String store(Initializer tensor) {
    return edit.store(tensor);
  }
}
