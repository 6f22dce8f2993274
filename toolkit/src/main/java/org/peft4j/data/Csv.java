package org.peft4j.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Splits comma-separated text into records (RFC 4180): a field in quotes may hold separators, line
 * ends and doubled quotes; lines end with CR LF, LF or CR. Empty lines are no records.
 */
final class Csv {
  static final String EXPECTED = "a CSV file (RFC 4180) whose first row names the columns";
  static final String FIX = "write it with a CSV library, which quotes fields that need it";

  /**
   * One record.
   *
   * @param line of its first char, from 1
   */
  record Row(int line, List<String> fields) {}

  private final String text;
  private final char separator;
  private final Problems problems;
  private int at;
  private int line = 1;

  private Csv(String text, char separator, Problems problems) {
    this.text = text;
    this.separator = separator;
    this.problems = problems;
  }

  /** All records; what is malformed is noted. */
  static List<Row> parse(String text, char separator, Problems problems) {
    return new Csv(text, separator, problems).rows();
  }

  /**
   * The records of a file (tabs between fields in a {@code .tsv}), each cut to these columns, in
   * this order; what is malformed is noted.
   *
   * @throws IllegalArgumentException when a column is not there
   */
  static List<Row> columns(Path file, Problems problems, String... names) {
    char separator = file.toString().endsWith(".tsv") ? '\t' : ',';
    List<Row> rows = parse(LabelledFiles.read(file), separator, problems);
    if (rows.isEmpty()) {
      throw new IllegalArgumentException(
          file + ": the file is empty\nexpected: a row of column names, then examples");
    }
    List<String> header = rows.get(0).fields();
    if (!header.containsAll(List.of(names))) {
      throw new IllegalArgumentException(
          "%s: columns\nexpected: %s\nfound: %s\nfix: name %s of those found"
              .formatted(file, List.of(names), header, names.length == 1 ? "one" : "some"));
    }
    List<Integer> chosen = Arrays.stream(names).map(header::indexOf).toList();
    List<Row> out = new ArrayList<>();
    for (Row row : rows.subList(1, rows.size())) {
      if (row.fields().size() == header.size()) {
        out.add(new Row(row.line(), chosen.stream().map(row.fields()::get).toList()));
      } else {
        problems.add(row.line(), "%d fields, not %d".formatted(row.fields().size(), header.size()));
      }
    }
    return out;
  }

  private List<Row> rows() {
    List<Row> rows = new ArrayList<>();
    while (at < text.length()) {
      if (endOfLine()) {
        continue;
      }
      int first = line;
      List<String> fields = new ArrayList<>();
      do {
        fields.add(field());
      } while (skip(separator));
      rows.add(new Row(first, fields));
      endOfLine();
    }
    return rows;
  }

  private String field() {
    if (!skip('"')) {
      return plain();
    }
    int opened = line;
    StringBuilder value = new StringBuilder();
    while (at < text.length()) {
      if (skip('"')) {
        if (!skip('"')) {
          String rest = plain();
          if (!rest.isEmpty()) {
            problems.add(line, "text behind a closing quote: " + rest);
          }
          return value.toString();
        }
        value.append('"');
      } else {
        int from = at;
        if (!endOfLine()) {
          at++;
        }
        value.append(text, from, at);
      }
    }
    problems.add(opened, "a quote that is never closed");
    return value.toString();
  }

  private String plain() {
    int from = at;
    while (at < text.length() && text.charAt(at) != separator && !isLineEnd(text.charAt(at))) {
      at++;
    }
    return text.substring(from, at);
  }

  private boolean skip(char c) {
    if (at < text.length() && text.charAt(at) == c) {
      at++;
      return true;
    }
    return false;
  }

  private boolean endOfLine() {
    if (skip('\n')) {
      line++;
      return true;
    }
    if (skip('\r')) {
      skip('\n');
      line++;
      return true;
    }
    return false;
  }

  private static boolean isLineEnd(char c) {
    return c == '\n' || c == '\r';
  }
}
