package org.peft4j.text.jinja;

import java.math.BigInteger;
import org.jspecify.annotations.Nullable;

/**
 * Python's arithmetic: integers without bounds, division towards minus infinity, booleans as 0 and
 * 1.
 */
final class Numbers {
  private static final int MOST_BITS = 10_000;

  private Numbers() {}

  static boolean isInteger(@Nullable Object value) {
    return value instanceof Long || value instanceof BigInteger;
  }

  static boolean isNumber(@Nullable Object value) {
    return isInteger(value) || value instanceof Double || value instanceof Boolean;
  }

  /** As Long where it fits. */
  static Object shrink(BigInteger value) {
    if (value.bitLength() > MOST_BITS) {
      throw TemplateException.of("an integer of %d bits", value.bitLength());
    }
    return value.bitLength() < 64 ? (Object) value.longValue() : value;
  }

  static BigInteger big(@Nullable Object value) {
    if (value instanceof BigInteger b) {
      return b;
    } else if (value instanceof Boolean b) {
      return b ? BigInteger.ONE : BigInteger.ZERO;
    } else if (value instanceof Long n) {
      return BigInteger.valueOf(n);
    }
    throw TemplateException.of("an integer is required, not %s", Types.nameOf(value));
  }

  static double real(@Nullable Object value) {
    if (value instanceof Double d) {
      return d;
    }
    return value instanceof Long n ? n.doubleValue() : big(value).doubleValue();
  }

  /** An index or a count. */
  static int index(@Nullable Object value, String what) {
    if (value instanceof Boolean b) {
      return b ? 1 : 0;
    }
    if (!isInteger(value)) {
      throw TemplateException.of("%s must be an integer, not %s", what, Types.nameOf(value));
    }
    BigInteger n = big(value);
    return n.bitLength() < 32 ? n.intValue() : n.signum() * Integer.MAX_VALUE;
  }

  static Object calculate(String operator, @Nullable Object a, @Nullable Object b) {
    if (a instanceof Double || b instanceof Double || operator.equals("/")) {
      return calculate(operator, real(a), real(b));
    }
    BigInteger x = big(a);
    BigInteger y = big(b);
    return switch (operator) {
      case "+" -> shrink(x.add(y));
      case "-" -> shrink(x.subtract(y));
      case "*" -> shrink(x.multiply(y));
      case "//" -> {
        nonZero(y.signum() != 0, "integer division or modulo by zero");
        BigInteger[] parts = x.divideAndRemainder(y);
        boolean down = parts[1].signum() != 0 && parts[1].signum() != y.signum();
        yield shrink(down ? parts[0].subtract(BigInteger.ONE) : parts[0]);
      }
      case "%" -> {
        nonZero(y.signum() != 0, "integer modulo by zero");
        BigInteger rest = x.remainder(y);
        yield shrink(rest.signum() != 0 && rest.signum() != y.signum() ? rest.add(y) : rest);
      }
      default -> power(x, y);
    };
  }

  private static double calculate(String operator, double x, double y) {
    return switch (operator) {
      case "+" -> x + y;
      case "-" -> x - y;
      case "*" -> x * y;
      case "/" -> {
        nonZero(y != 0, "division by zero");
        yield x / y;
      }
      case "//" -> {
        nonZero(y != 0, "float floor division by zero");
        yield Math.floor(x / y);
      }
      case "%" -> {
        nonZero(y != 0, "float modulo by zero");
        double rest = x % y;
        yield rest != 0 && Math.signum(rest) != Math.signum(y) ? rest + y : rest;
      }
      default -> {
        if (x < 0 && y != Math.rint(y)) {
          throw TemplateException.of("complex numbers are not supported");
        }
        yield Math.pow(x, y);
      }
    };
  }

  private static Object power(BigInteger x, BigInteger y) {
    if (y.signum() < 0) {
      nonZero(x.signum() != 0, "0.0 cannot be raised to a negative power");
      return Math.pow(x.doubleValue(), y.doubleValue());
    }
    if (y.bitLength() > 30 || (long) x.bitLength() * y.intValue() > MOST_BITS) {
      throw TemplateException.of("%s ** %s is too large", x, y);
    }
    return shrink(x.pow(y.intValue()));
  }

  static Object negate(@Nullable Object value) {
    return value instanceof Double d ? (Object) (-d) : shrink(big(value).negate());
  }

  private static void nonZero(boolean holds, String message) {
    if (!holds) {
      throw TemplateException.of(message);
    }
  }

  static int compare(@Nullable Object a, @Nullable Object b) {
    return a instanceof Double || b instanceof Double
        ? Double.compare(real(a) + 0.0, real(b) + 0.0)
        : big(a).compareTo(big(b));
  }

  /** As Python prints it. */
  static String text(@Nullable Object value) {
    if (value instanceof Double d) {
      if (d.isNaN()) {
        return "nan";
      }
      return d.isInfinite() ? (d > 0 ? "inf" : "-inf") : org.peft4j.format.Json.line(d);
    }
    return String.valueOf(value);
  }
}
