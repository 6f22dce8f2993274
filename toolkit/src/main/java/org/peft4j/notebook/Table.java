package org.peft4j.notebook;

import com.github.freva.asciitable.AsciiTable;
import com.github.freva.asciitable.Column;
import com.github.freva.asciitable.HorizontalAlign;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Rows and columns to be looked at: {@code Table.of("method", "accuracy").row("lora", 0.749)}.
 * Immutable; every call returns a new one. Prints as text, is HTML in a notebook.
 */
public final class Table {
  private static final int WIDEST = 60;

  private final List<String> columns;
  private final List<List<@Nullable Object>> rows;

  private Table(List<String> columns, List<List<@Nullable Object>> rows) {
    this.columns = List.copyOf(columns);
    this.rows = rows;
  }

  /** A table without rows. */
  public static Table of(String... columns) {
    if (columns.length == 0) {
      throw new IllegalArgumentException("columns: expected at least one, found none");
    }
    return new Table(List.of(columns), List.of());
  }

  /**
   * A table of records, a column for each component.
   *
   * @throws IllegalArgumentException when there is none, or they are of several types
   */
  public static Table of(List<? extends Record> records) {
    if (records.isEmpty() || records.stream().map(Object::getClass).distinct().count() > 1) {
      throw new IllegalArgumentException("rows: expected records of one type, found " + records);
    }
    RecordComponent[] parts = records.get(0).getClass().getRecordComponents();
    String[] names = Arrays.stream(parts).map(RecordComponent::getName).toArray(String[]::new);
    Table out = of(names);
    for (Record r : records) {
      out = out.row(Arrays.stream(parts).map(p -> value(p, r)).toArray());
    }
    return out;
  }

  private static @Nullable Object value(RecordComponent part, Record record) {
    try {
      part.getAccessor().setAccessible(true); // records that are declared in a shell are not public
      return part.getAccessor().invoke(record);
    } catch (ReflectiveOperationException e) {
      throw new IllegalArgumentException("cannot read " + part + " of " + record, e);
    }
  }

  /** A table of two columns. */
  static Table of(Map<?, ?> map) {
    Table out = of("key", "value");
    for (Map.Entry<?, ?> e : map.entrySet()) {
      out = out.row(e.getKey(), e.getValue());
    }
    return out;
  }

  /**
   * The same with one more row.
   *
   * @throws IllegalArgumentException when there are more or fewer cells than columns
   */
  public Table row(@Nullable Object... cells) {
    if (cells.length != columns.size()) {
      throw new IllegalArgumentException(
          "cells\nexpected: " + columns.size() + ", for " + columns + "\nfound: " + cells.length);
    }
    List<List<@Nullable Object>> more = new ArrayList<>(rows);
    more.add(Arrays.asList(cells.clone()));
    return new Table(columns, more);
  }

  String html() {
    boolean[] numbers = new boolean[columns.size()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] = hasNumbers(i);
    }
    return Html.table(columns, texts(), numbers);
  }

  private boolean hasNumbers(int column) {
    return !rows.isEmpty() && rows.stream().allMatch(r -> r.get(column) instanceof Number);
  }

  private List<List<String>> texts() {
    return rows.stream().map(r -> r.stream().map(Table::text).toList()).toList();
  }

  /** A cell as text; numbers with as many digits as one looks at. */
  static String text(@Nullable Object cell) {
    if (cell instanceof Double || cell instanceof Float) {
      return number(((Number) cell).doubleValue());
    }
    return cell instanceof Number && !(cell instanceof java.math.BigDecimal)
        ? String.format(Locale.ROOT, "%,d", ((Number) cell).longValue())
        : String.valueOf(cell);
  }

  private static String number(double x) {
    double size = Math.abs(x);
    if (x == 0 || Double.isNaN(x) || Double.isInfinite(x)) {
      return x == 0 ? "0" : String.valueOf(x);
    }
    String form = size >= 1000 ? "%,.0f" : size >= 10 ? "%.1f" : size >= 1e-3 ? "%.3f" : "%.1e";
    return String.format(Locale.ROOT, form, x);
  }

  @Override
  public String toString() {
    Column[] heads = new Column[columns.size()];
    Arrays.setAll(
        heads,
        i ->
            new Column()
                .header(columns.get(i))
                .headerAlign(HorizontalAlign.LEFT)
                .dataAlign(hasNumbers(i) ? HorizontalAlign.RIGHT : HorizontalAlign.LEFT)
                .maxWidth(WIDEST));
    String[][] cells = texts().stream().map(r -> r.toArray(String[]::new)).toArray(String[][]::new);
    return AsciiTable.getTable(AsciiTable.NO_BORDERS, heads, cells).stripTrailing();
  }
}
