package org.peft4j.format;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.MalformedJsonException;
import java.io.EOFException;
import java.io.IOException;
import java.io.StringReader;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * JSON as plain Java values: {@link String}, {@link Boolean}, null, {@link List}, {@link Map} in
 * the order of the file, and numbers: {@link Long} for integers ({@link BigInteger} beyond 64
 * bits), {@link Double} for all others. Reading is strict (RFC 8259): no comments, no NaN, no
 * duplicate keys, nothing after the end. Writing gives the bytes of Python's {@code json.dumps}.
 */
public final class Json {
  private static final long LARGEST_FILE = 256L << 20;
  private static final int DEEPEST = 100;
  private static final Pattern POSITION = Pattern.compile("at line \\d+ column \\d+ path .*");

  private Json() {}

  /**
   * Reads a file that holds one JSON object, in UTF-8, of at most 256 MB.
   *
   * @throws IllegalArgumentException that names the file and the position when it is not that
   */
  public static Map<String, @Nullable Object> read(Path file) throws IOException {
    long size = Files.size(file);
    if (size > LARGEST_FILE) {
      throw Malformed.of(
          file, "too large", "JSON of at most " + LARGEST_FILE + " bytes", size + " bytes", null);
    }
    Object value = parse(utf8(file, ByteBuffer.wrap(Files.readAllBytes(file))), file.toString());
    if (value instanceof Map<?, ?> map) {
      Map<String, @Nullable Object> out = new LinkedHashMap<>();
      map.forEach((k, v) -> out.put((String) k, v));
      return out;
    }
    throw Malformed.of(file, "not a JSON object", "{...}", kind(value), null);
  }

  /**
   * Reads one JSON value of any kind.
   *
   * @param origin what error messages call the text
   */
  public static @Nullable Object parse(String text, String origin) {
    JsonReader reader = reader(text);
    try {
      Object value = value(reader);
      requireEnd(reader);
      return value;
    } catch (IOException e) {
      throw malformed(origin, e);
    }
  }

  /** As Python's {@code json.dumps(value, indent=2, sort_keys=True)}: no line feed at the end. */
  public static String format(@Nullable Object value) {
    return new PythonJson(true, true).text(value);
  }

  /** As Python's {@code json.dumps(value, indent=2)}: keys in the map's own order. */
  public static String formatUnsorted(@Nullable Object value) {
    return new PythonJson(true, false).text(value);
  }

  /** As Python's {@code json.dumps(value)}: on one line, keys in the map's own order. */
  public static String line(@Nullable Object value) {
    return new PythonJson(false, false).text(value);
  }

  /** A strict reader of {@code text}; what it throws goes to {@link #malformed}. */
  static JsonReader reader(String text) {
    JsonReader reader = new JsonReader(new StringReader(text));
    reader.setStrictness(Strictness.STRICT);
    reader.setNestingLimit(DEEPEST);
    return reader;
  }

  /** What to throw for the token that {@code reader} stands at. */
  static MalformedJsonException at(JsonReader reader, String what) {
    return new MalformedJsonException(what + reader.toString().replaceFirst("^\\w+", ""));
  }

  static void requireEnd(JsonReader reader) throws IOException {
    if (reader.peek() != JsonToken.END_DOCUMENT) {
      throw at(reader, "more text after the end of the value");
    }
  }

  /** The message for what a reader threw: position kept, the library's own advice left out. */
  static IllegalArgumentException malformed(String origin, IOException e) {
    String found = String.valueOf(e.getMessage());
    Matcher position = POSITION.matcher(found);
    if (e instanceof EOFException) {
      found = "the end of the text" + (position.find() ? " " + position.group() : "");
    } else if (position.find()) {
      String what = found.substring(0, position.start()).strip();
      what = what.replaceFirst("^Use JsonReader\\.setStrictness.*to accept ", "");
      found = what + " " + position.group().lines().findFirst().orElse("");
    }
    return Malformed.of(
        origin, "malformed JSON", "JSON (RFC 8259), UTF-8", Malformed.quote(found), null);
  }

  /** Decodes UTF-8, refusing what is none. */
  static String utf8(Object origin, ByteBuffer bytes) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException e) {
      throw Malformed.of(
          origin, "not UTF-8", "text in UTF-8", "invalid bytes at " + bytes.position(), null);
    }
  }

  /** The kind of a value, in JSON's words. */
  static String kind(@Nullable Object value) {
    return value == null
        ? "null"
        : value instanceof Map
            ? "an object"
            : value instanceof List
                ? "a list"
                : value instanceof String
                    ? "a string"
                    : value instanceof Boolean ? "true or false" : "a number";
  }

  private static @Nullable Object value(JsonReader reader) throws IOException {
    switch (reader.peek()) {
      case BEGIN_OBJECT:
        Map<String, @Nullable Object> map = new LinkedHashMap<>();
        reader.beginObject();
        while (reader.hasNext()) {
          String key = reader.nextName();
          if (map.containsKey(key)) {
            throw at(reader, "the key stands there twice");
          }
          map.put(key, value(reader));
        }
        reader.endObject();
        return map;
      case BEGIN_ARRAY:
        List<@Nullable Object> list = new ArrayList<>();
        reader.beginArray();
        while (reader.hasNext()) {
          list.add(value(reader));
        }
        reader.endArray();
        return list;
      case STRING:
        return reader.nextString();
      case BOOLEAN:
        return reader.nextBoolean();
      case NULL:
        reader.nextNull();
        return null;
      case NUMBER:
        return number(reader);
      default:
        throw at(reader, "unexpected " + name(reader.peek()));
    }
  }

  /** A number token: integral when it has neither fraction nor exponent, as Python sees it. */
  static Number number(JsonReader reader) throws IOException {
    String literal = reader.nextString();
    if (literal.chars().allMatch(c -> c == '-' || (c >= '0' && c <= '9'))) {
      BigInteger exact = new BigInteger(literal);
      return exact.bitLength() < Long.SIZE ? (Number) exact.longValue() : exact;
    }
    double value = Double.parseDouble(literal);
    if (Double.isInfinite(value)) {
      throw at(reader, "a number beyond the range of a double");
    }
    return value;
  }

  private static String name(JsonToken token) {
    return token.name().toLowerCase(Locale.ROOT).replace('_', ' ');
  }
}
