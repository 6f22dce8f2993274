package org.peft4j.notebook;

import java.awt.Font;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.jfree.chart.axis.CategoryAxis;
import org.jfree.chart.axis.ValueAxis;
import org.jfree.chart.labels.StandardCategoryItemLabelGenerator;
import org.jfree.chart.plot.CategoryPlot;
import org.jfree.chart.plot.Plot;
import org.jfree.chart.plot.PlotOrientation;
import org.jfree.chart.renderer.category.BarRenderer;
import org.jfree.chart.renderer.category.StandardBarPainter;
import org.jfree.data.category.DefaultCategoryDataset;

/**
 * Bars that lie, with their names on the left and their values behind them: {@code
 * Charts.bars("Accuracy").bar("before", 0.04).bar("after", 0.75)}. Those of one {@code group} have
 * a colour of their own, which the legend explains.
 */
public final class BarChart extends Chart {
  private record Bar(String group, String name, double value) {}

  private final String axis;
  private final boolean log;
  private final List<Bar> bars;

  private BarChart(String title, String axis, boolean log, List<Bar> bars) {
    super(title);
    this.axis = axis;
    this.log = log;
    this.bars = List.copyOf(bars);
  }

  static BarChart of(String title) {
    return new BarChart(title, "", false, List.of());
  }

  /** What stands at the axis of the values. */
  public BarChart axis(String label) {
    return new BarChart(title(), label, log, bars);
  }

  /** A logarithmic axis; values must be above 0. */
  public BarChart log() {
    return new BarChart(title(), axis, true, bars);
  }

  /** One more bar, below the others. */
  public BarChart bar(String name, double value) {
    return bar("", name, value);
  }

  /** One more bar of a group, beside those of other groups with the same name. */
  public BarChart bar(String group, String name, double value) {
    List<Bar> more = new ArrayList<>(bars);
    more.add(new Bar(group, name, value));
    return new BarChart(title(), axis, log, more);
  }

  @Override
  int height() {
    boolean legend = bars.stream().anyMatch(b -> !b.group.isEmpty());
    int gaps = 8 * (int) bars.stream().map(Bar::name).distinct().count();
    return 84 + (legend ? 28 : 0) + (title().isEmpty() ? 0 : 28) + gaps + 20 * bars.size();
  }

  @Override
  Plot plot(ChartLook look) {
    DefaultCategoryDataset data = new DefaultCategoryDataset();
    bars.forEach(b -> data.addValue(b.value, b.group, b.name));
    BarRenderer renderer = new BarRenderer();
    renderer.setBarPainter(new StandardBarPainter());
    renderer.setShadowVisible(false);
    renderer.setItemMargin(0.06);
    renderer.setDefaultItemLabelGenerator(
        new StandardCategoryItemLabelGenerator("{2}", new ReadableNumbers()));
    renderer.setDefaultItemLabelsVisible(true);
    renderer.setDefaultItemLabelFont(ChartLook.font(Font.PLAIN, 12));
    renderer.setDefaultItemLabelPaint(look.ink());
    for (int i = 0; i < data.getRowCount(); i++) {
      renderer.setSeriesPaint(i, ChartLook.colour(i));
      renderer.setSeriesVisibleInLegend(i, !String.valueOf(data.getRowKey(i)).isEmpty());
    }
    CategoryAxis names = new CategoryAxis();
    names.setMaximumCategoryLabelWidthRatio(0.4f);
    names.setCategoryMargin(0.22);
    names.setLowerMargin(0.02);
    names.setUpperMargin(0.02);
    look.style(names);
    ValueAxis values = look.axis(axis, log);
    values.setUpperMargin(0.12);
    if (values instanceof org.jfree.chart.axis.NumberAxis n) {
      n.setAutoRangeIncludesZero(true);
    }
    CategoryPlot plot = new CategoryPlot(data, names, values, renderer);
    plot.setOrientation(PlotOrientation.HORIZONTAL);
    plot.setRangeAxisLocation(org.jfree.chart.axis.AxisLocation.BOTTOM_OR_LEFT);
    look.grid(plot);
    return plot;
  }

  @Override
  String summary() {
    return bars.stream()
        .map(b -> (b.group.isEmpty() ? "" : b.group + ", ") + b.name + ": " + Table.text(b.value))
        .collect(Collectors.joining("\n"));
  }
}
