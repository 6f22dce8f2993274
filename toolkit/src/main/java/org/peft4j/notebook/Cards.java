package org.peft4j.notebook;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.peft4j.adapter.PeftModel;
import org.peft4j.data.Conversation;
import org.peft4j.data.Conversations;
import org.peft4j.data.Example;
import org.peft4j.data.Examples;
import org.peft4j.export.Exported;
import org.peft4j.generate.Generated;
import org.peft4j.model.Pretrained;
import org.peft4j.onnx.Comparison;
import org.peft4j.spi.Fluent;
import org.peft4j.spi.Site;
import org.peft4j.train.Fit;
import org.peft4j.train.Metrics;
import org.peft4j.train.RunListener;

/** The toolkit's own values as pieces of HTML. */
final class Cards {
  private static final int ROWS = 4;

  private Cards() {}

  /** What it would train, and where. */
  static String of(Fluent<?, ?, ?> expression) {
    List<Site> sites;
    try {
      sites = expression.sites();
    } catch (RuntimeException e) {
      return Html.block("text", expression.toString()); // which says what is wrong
    }
    Map<List<String>, Integer> alike = new LinkedHashMap<>();
    for (Site s : sites) {
      String where = s.path().replaceAll("\\.\\d+\\.", ".*.");
      String role = s.role() == null ? "" : s.role();
      alike.merge(List.of(where, role, String.valueOf(s.shape())), 1, Integer::sum);
    }
    Table table = Table.of("modules", "role", "shape of W0", "how many");
    for (Map.Entry<List<String>, Integer> e : alike.entrySet()) {
      List<String> k = e.getKey();
      table = table.row(k.get(0), k.get(1), k.get(2), e.getValue());
    }
    return Html.block("title", expression.toString()) + (alike.isEmpty() ? "" : table.html());
  }

  /** The adapters, how small they are, and the modules they act on. */
  static String of(PeftModel model) {
    List<String> lines = model.toString().lines().toList();
    double share = (double) model.trainableParameters() / Math.max(1, model.allParameters());
    StringBuilder out = new StringBuilder();
    lines.subList(0, lines.size() - 1).forEach(l -> out.append(Html.block("title", l)));
    out.append(Html.bar(share));
    out.append(
        Html.block(
            "quiet",
            String.format(
                Locale.ROOT,
                "%,d of %,d parameters are trained: %.4g %%",
                model.trainableParameters(),
                model.allParameters(),
                100 * share)));
    return out + Html.folded("modules", model.describe().toHtml());
  }

  static String of(Pretrained model) {
    return Html.block("title", model.toString())
        + Html.folded("modules", model.describe().toHtml());
  }

  /** One line, a small curve, and the evaluations. */
  static String of(Fit fit) {
    List<String> lines = fit.toString().lines().toList();
    StringBuilder out = new StringBuilder(Html.block("title", lines.get(0)));
    out.append(Sparkline.of(fit.steps()));
    if (!fit.evaluations().isEmpty()) {
      List<String> names = List.copyOf(fit.evaluations().get(0).metrics().values().keySet());
      List<String> columns = new ArrayList<>(List.of("step"));
      columns.addAll(names);
      columns.add("");
      Table table = Table.of(columns.toArray(String[]::new));
      for (RunListener.Evaluation e : fit.evaluations()) {
        List<@Nullable Object> cells = new ArrayList<>(List.of(e.step()));
        names.forEach(n -> cells.add(e.metrics().values().get(n)));
        cells.add(e.step() == fit.bestStep() ? "best" : "");
        table = table.row(cells.toArray());
      }
      out.append(table.html());
    }
    return out.toString();
  }

  static String of(Metrics metrics) {
    Table table = Table.of(metrics.values().keySet().toArray(String[]::new));
    return table.row(metrics.values().values().toArray()).html()
        + Html.block("quiet", String.format(Locale.ROOT, "on %,d rows", metrics.rows()));
  }

  static String of(Comparison c) {
    boolean scored = c.rows().stream().anyMatch(r -> !Double.isNaN(r.divergence()));
    List<String> columns =
        new ArrayList<>(
            List.of("sizes", "output", "max |difference|", "max |value|", "same argmax"));
    if (scored) {
      columns.add("KL");
    }
    columns.add("");
    Table table = Table.of(columns.toArray(String[]::new));
    for (Comparison.Row r : c.rows()) {
      List<@Nullable Object> cells = new ArrayList<>();
      cells.add(
          r.sizes().entrySet().stream()
              .map(e -> e.getKey() + "=" + e.getValue())
              .collect(Collectors.joining(", ")));
      cells.add(r.output());
      cells.add(String.format(Locale.ROOT, "%.2e", r.difference()));
      cells.add(String.format(Locale.ROOT, "%.3g", r.largest()));
      cells.add(String.format(Locale.ROOT, "%.1f %%", 100 * r.agreement()));
      if (scored) {
        cells.add(
            Double.isNaN(r.divergence()) ? "" : String.format(Locale.ROOT, "%.1e", r.divergence()));
      }
      cells.add(r.relative() <= c.tolerance() ? "ok" : "FAILED " + r.note());
      table = table.row(cells.toArray());
    }
    return table.html()
        + Html.block(
            c.passed() ? "quiet" : "title",
            String.format(
                Locale.ROOT,
                "tolerance %.0e, %s",
                c.tolerance(),
                c.passed() ? "passed" : "FAILED"));
  }

  static String of(Exported exported) {
    Table table = Table.of("graph", "nodes", "opset", "bytes", "farthest from the model");
    for (Exported.Graph g : exported.graphs()) {
      long bytes = g.files().stream().mapToLong(f -> f.toFile().length()).sum();
      String far = String.format(Locale.ROOT, "%.1e", g.checked().largestDifference());
      table = table.row(String.valueOf(g.file().getFileName()), g.nodes(), g.opset(), bytes, far);
    }
    return table.html();
  }

  static String of(Generated g) {
    return Html.block("text", g.text()) + Html.block("quiet", g.summary());
  }

  static String of(Examples rows) {
    Table table = Table.of("text", "label");
    for (Example e : rows.rows().subList(0, Math.min(ROWS, rows.size()))) {
      table = table.row(e.text(), rows.label(e));
    }
    return table.html();
  }

  static String of(Conversations rows) {
    Table table = Table.of("row", "says", "what");
    for (int i = 0; i < Math.min(ROWS, rows.size()); i++) {
      if (rows.get(i) instanceof Conversation.Chat c) {
        for (var m : c.messages()) {
          table = table.row(i, m.role(), m.content());
        }
      } else {
        table = table.row(i, "", rows.get(i).opening());
      }
    }
    return table.html();
  }
}
