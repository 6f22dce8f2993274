package org.peft4j.text;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * The merges that SentencePiece's BPE makes without writing them down: it joins the neighbours
 * whose joint piece has the best score. Every way to cut a piece into two others is a merge, those
 * of the best pieces first; among the ways to cut one piece, that of the lowest ids first.
 */
final class PieceMerges {
  private PieceMerges() {}

  private record Merge(String text, float score, int piece, int left, int right) {}

  /** The merges, the earliest first, as {@code left right}. */
  static List<String> of(GgmlVocabulary source, Map<String, Integer> ids) {
    List<Merge> merges = new ArrayList<>();
    for (int id = 0; id < source.tokens().size(); id++) {
      String piece = source.tokens().get(id);
      if (!joins(source, id) || !Integer.valueOf(id).equals(ids.get(piece))) {
        continue;
      }
      for (int cut = 1; cut < piece.length(); cut++) {
        if (Character.isLowSurrogate(piece.charAt(cut))) {
          continue;
        }
        Integer left = ids.get(piece.substring(0, cut));
        Integer right = ids.get(piece.substring(cut));
        if (left != null && right != null && joins(source, left) && joins(source, right)) {
          String text = piece.substring(0, cut) + " " + piece.substring(cut);
          merges.add(new Merge(text, source.scores().get(id), id, left, right));
        }
      }
    }
    merges.sort(
        Comparator.comparingDouble((Merge m) -> -m.score)
            .thenComparingInt(Merge::piece)
            .thenComparingInt(Merge::left)
            .thenComparingInt(Merge::right));
    return merges.stream().map(Merge::text).toList();
  }

  private static boolean joins(GgmlVocabulary source, int id) {
    return source.kind(id) == GgmlVocabulary.Kind.NORMAL;
  }
}
