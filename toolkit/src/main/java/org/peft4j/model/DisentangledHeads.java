package org.peft4j.model;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.nn.Heads;
import org.peft4j.nn.Layer;
import org.peft4j.nn.Projection;
import org.peft4j.nn.Sequence;
import org.peft4j.spi.Pass;
import org.peft4j.spi.Place;
import org.peft4j.tensor.Scalars;

/**
 * DeBERTa's attention up to its output projection: scores {@code (q_i k_j + q_i kr(r) + k_j qr(r))
 * / sqrt(s d)}, r the relative position of i and j, kr and qr projections of its row in a table, s
 * the number of products. The projections of rows are those of contents where {@code share_att_key}
 * says so.
 */
final class DisentangledHeads extends Layer {
  /**
   * What tokens are to each other.
   *
   * @param table of relative positions, {@code [1, rows, hidden]}
   * @param rows which of them a query and a key have, int64 {@code [T, T]}
   */
  record Relation(NDArray table, NDArray rows) {}

  private final Heads heads;
  private final double dropout;
  private final String name;
  private final Projection query;
  private final Projection key;
  private final Projection value;
  private final @Nullable Projection positionKey;
  private final @Nullable Projection positionQuery;

  DisentangledHeads(Config config, Place layer) {
    int hidden = config.size("hidden_size");
    int n = config.size("num_attention_heads");
    config.requireMultiple("hidden_size", hidden, "num_attention_heads", n);
    int size = config.sizeOr(hidden / n, "attention_head_size");
    List<String> products = DebertaV2.products(config);
    boolean c2p = products.contains("c2p");
    boolean p2c = products.contains("p2c");
    heads =
        new Heads(
            layer.at(Place.Part.SELF_ATTENTION),
            n,
            n,
            size,
            config.probability("attention_probs_dropout_prob", 0.1),
            1 / Math.sqrt((1.0 + (c2p ? 1 : 0) + (p2c ? 1 : 0)) * size));
    dropout = config.probability("hidden_dropout_prob", 0.1);
    name = layer.path() + ".positions";
    query = addChildBlock("query_proj", new Projection(hidden, (long) n * size, true, "q"));
    key = addChildBlock("key_proj", new Projection(hidden, (long) n * size, true, "k"));
    value = addChildBlock("value_proj", new Projection(hidden, (long) n * size, true, "v"));
    boolean relates = config.flag("relative_attention", false);
    boolean shared = config.flag("share_att_key", false);
    positionKey = relates && c2p ? shared ? key : own("pos_key_proj", hidden) : null;
    positionQuery = relates && p2c ? shared ? query : own("pos_query_proj", hidden) : null;
  }

  private Projection own(String child, int hidden) {
    long width = (long) heads.heads() * heads.size();
    return addChildBlock(child, new Projection(hidden, width, true, null));
  }

  Heads heads() {
    return heads;
  }

  /** Of x {@code [B, T, hidden]} to itself: {@code [B, T, heads size]}. */
  NDArray apply(
      Pass pass,
      Sequence sequence,
      NDArray x,
      @Nullable NDArray padding,
      @Nullable Relation relation) {
    NDArray q = query.apply(pass, x);
    NDArray k = key.apply(pass, x);
    NDArray bias = padding;
    NDArray related = relation == null ? null : related(pass, q, k, relation);
    if (related != null) {
      NDArray all =
          behind(sequence.keys() - sequence.length(), Scalars.mul(related, heads.scale()));
      bias = padding == null ? all : all.add(padding);
    }
    return heads.attend(pass, sequence, q, k, value.apply(pass, x), bias);
  }

  /** Products of contents and positions {@code [B, heads, T, T]}; null where there are none. */
  private @Nullable NDArray related(Pass pass, NDArray q, NDArray k, Relation relation) {
    NDArray table = pass.dropout(name, dropout, relation.table());
    NDArray rows = relation.rows();
    NDArray sum = null;
    if (positionKey != null) {
      sum = chosen(heads.queries(q), positionKey.apply(pass, table), rows);
    }
    if (positionQuery != null) {
      NDArray byKey = chosen(heads.keys(k), positionQuery.apply(pass, table), rows.transpose(1, 0));
      NDArray byQuery = byKey.transpose(0, 1, 3, 2);
      sum = sum == null ? byQuery : sum.add(byQuery);
    }
    return sum;
  }

  /** Products of contents {@code [B, heads, T, d]} with the rows {@code [T, T]} of positions. */
  private NDArray chosen(NDArray contents, NDArray positions, NDArray rows) {
    NDArray all = contents.matMul(heads.keys(positions).transpose(0, 1, 3, 2));
    Shape s = contents.getShape();
    long t = s.get(2);
    return all.gather(rows.reshape(1, 1, t, t).broadcast(s.get(0), s.get(1), t, t), 3);
  }

  /** Scores with room for keys in front, which have no position. */
  private static NDArray behind(long front, NDArray scores) {
    if (front == 0) {
      return scores;
    }
    Shape s = scores.getShape();
    Shape none = new Shape(s.get(0), s.get(1), s.get(2), front);
    return scores.getManager().zeros(none, DataType.FLOAT32).concat(scores, 3);
  }

  @Override
  protected NDList compute(Pass pass, NDList in) {
    throw new UnsupportedOperationException("an attention computes as part of its model");
  }
}
