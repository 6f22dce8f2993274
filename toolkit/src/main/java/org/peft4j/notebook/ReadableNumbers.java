package org.peft4j.notebook;

import java.text.FieldPosition;
import java.text.NumberFormat;
import java.text.ParsePosition;

/** Numbers as {@link Table} writes them. */
final class ReadableNumbers extends NumberFormat {
  private static final long serialVersionUID = 1;

  @Override
  public StringBuffer format(double x, StringBuffer to, FieldPosition position) {
    return to.append(
        x == Math.rint(x) && Math.abs(x) < 1e15 ? Table.text((long) x) : Table.text(x));
  }

  @Override
  public StringBuffer format(long x, StringBuffer to, FieldPosition position) {
    return to.append(Table.text(x));
  }

  @Override
  public Number parse(String source, ParsePosition position) {
    throw new UnsupportedOperationException("numbers are written only");
  }
}
