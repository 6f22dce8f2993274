package org.peft4j.format;

import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The part of Python's pickle language (docs.python.org, module pickletools) that a dictionary of
 * tensors needs. A pickle is a program for a stack machine that may call anything it names; this
 * one knows three constructors and PyTorch's storage types, builds inert values of them, and
 * refuses every other name where it stands.
 */
final class TensorPickle {
  static final String FIX =
      "load the file with PyTorch where you trust it and save it with"
          + " safetensors.torch.save_file(state_dict, \"model.safetensors\")";

  private static final int MOST_VALUES = 5_000_000;
  private static final Object MARK = new Object();
  private static final Map<String, ElementType> STORAGES =
      Map.of(
          "torch.DoubleStorage", ElementType.F64,
          "torch.FloatStorage", ElementType.F32,
          "torch.HalfStorage", ElementType.F16,
          "torch.BFloat16Storage", ElementType.BF16,
          "torch.LongStorage", ElementType.I64,
          "torch.IntStorage", ElementType.I32,
          "torch.ShortStorage", ElementType.I16,
          "torch.CharStorage", ElementType.I8,
          "torch.ByteStorage", ElementType.U8,
          "torch.BoolStorage", ElementType.BOOL);

  /** The constructors, by the names that a pickle calls them by. */
  private enum Constructor {
    DICTIONARY("collections.OrderedDict"),
    TENSOR("torch._utils._rebuild_tensor_v2"),
    PARAMETER("torch._utils._rebuild_parameter");

    private final String path;

    Constructor(String path) {
      this.path = path;
    }
  }

  /** A run of elements in a member of the archive. */
  record Storage(String typeName, ElementType type, String key, long elements) {}

  /** A view of a storage: sizes and strides in elements. */
  record Strided(Storage storage, long offset, List<Long> shape, List<Long> strides) {}

  private record StorageType(String name, ElementType type) {}

  /** A tuple or a list; compared by identity, as it may contain itself. */
  private static final class Sequence {
    final List<@Nullable Object> items = new ArrayList<>();
  }

  /** A dictionary; compared by identity, as it may contain itself. */
  private static final class Dictionary {
    final Map<Object, @Nullable Object> entries = new LinkedHashMap<>();
  }

  private final Path file;
  private final ByteBuffer in;
  private final List<@Nullable Object> stack = new ArrayList<>();
  private final Map<Integer, @Nullable Object> memo = new HashMap<>();
  private int values;

  private TensorPickle(Path file, byte[] program) {
    this.file = file;
    in = ByteBuffer.wrap(program).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** The tensors of the dictionary that {@code program} builds, and null for its other values. */
  static Map<String, @Nullable Strided> read(Path file, byte[] program) {
    TensorPickle pickle = new TensorPickle(file, program);
    Object result;
    try {
      result = pickle.run();
    } catch (BufferUnderflowException e) {
      throw pickle.refuse("a whole pickle", "the end of it");
    }
    if (!(result instanceof Dictionary dictionary)) {
      throw pickle.refuse("a dictionary of tensors", kind(result));
    }
    Map<String, @Nullable Strided> out = new LinkedHashMap<>();
    dictionary.entries.forEach(
        (key, value) -> {
          if (key instanceof String name) {
            out.put(name, value instanceof Strided tensor ? tensor : null);
          }
        });
    return out;
  }

  private @Nullable Object run() {
    while (true) {
      int opcode = in.get() & 0xff;
      switch (opcode) {
        case 0x80 -> in.get(); // PROTO
        case 0x95 -> in.getLong(); // FRAME
        case '.' -> {
          return pop();
        }
        case '(' -> push(MARK);
        case '0' -> pop();
        case 'N' -> push(null);
        case 0x88 -> push(true);
        case 0x89 -> push(false);
        case 'K' -> push((long) (in.get() & 0xff));
        case 'M' -> push((long) (in.getShort() & 0xffff));
        case 'J' -> push((long) in.getInt());
        case 0x8a -> push(integer(in.get() & 0xff)); // LONG1
        case 'G' -> push(Double.longBitsToDouble(Long.reverseBytes(in.getLong()))); // BINFLOAT
        case 'X' -> push(text(in.getInt() & 0xffffffffL)); // BINUNICODE
        case 0x8c -> push(text(in.get() & 0xff)); // SHORT_BINUNICODE
        case 'q' -> memo.put(in.get() & 0xff, top());
        case 'r' -> memo.put(in.getInt(), top());
        case 0x94 -> memo.put(memo.size(), top()); // MEMOIZE
        case 'h' -> push(remembered(in.get() & 0xff));
        case 'j' -> push(remembered(in.getInt()));
        case ')', ']' -> push(new Sequence());
        case '}' -> push(new Dictionary());
        case 0x85 -> tuple(1);
        case 0x86 -> tuple(2);
        case 0x87 -> tuple(3);
        case 't' -> push(toMark());
        case 'a' -> {
          Object item = pop();
          sequence(top()).items.add(item);
        }
        case 'e' -> {
          Sequence items = toMark();
          sequence(top()).items.addAll(items.items);
        }
        case 's' -> {
          Object value = pop();
          Object key = pop();
          put(dictionary(top()), key, value);
        }
        case 'u' -> setItems();
        case 'c' -> push(global(line(), line()));
        case 0x93 -> { // STACK_GLOBAL
          Object name = pop();
          Object module = pop();
          push(global(String.valueOf(module), String.valueOf(name)));
        }
        case 'Q' -> push(storage(pop()));
        case 'R' -> {
          Object arguments = pop();
          Object constructor = pop();
          push(construct(constructor, sequence(arguments).items));
        }
        case 'b' -> { // BUILD: attributes of an OrderedDict, such as _metadata; of no use here
          pop();
          dictionary(top());
        }
        default ->
            throw refuse(
                "operations that build tensors only",
                String.format(Locale.ROOT, "operation 0x%02x", opcode));
      }
    }
  }

  private void push(@Nullable Object value) {
    if (++values > MOST_VALUES) {
      throw refuse("at most " + MOST_VALUES + " values", "more");
    }
    stack.add(value);
  }

  private @Nullable Object pop() {
    if (stack.isEmpty()) {
      throw refuse("a value on the stack", "none");
    }
    return stack.remove(stack.size() - 1);
  }

  private @Nullable Object top() {
    Object value = pop();
    stack.add(value);
    return value;
  }

  private @Nullable Object remembered(int index) {
    if (!memo.containsKey(index)) {
      throw refuse("a remembered value", "none of number " + index);
    }
    return memo.get(index);
  }

  private Sequence toMark() {
    int mark = stack.lastIndexOf(MARK);
    if (mark < 0) {
      throw refuse("a mark on the stack", "none");
    }
    Sequence out = new Sequence();
    List<@Nullable Object> above = stack.subList(mark + 1, stack.size());
    out.items.addAll(above);
    stack.subList(mark, stack.size()).clear();
    return out;
  }

  private void tuple(int n) {
    Sequence tuple = new Sequence();
    for (int i = 0; i < n; i++) {
      tuple.items.add(0, pop());
    }
    push(tuple);
  }

  private void setItems() {
    List<@Nullable Object> pairs = toMark().items;
    Dictionary dictionary = dictionary(top());
    if (pairs.size() % 2 != 0) {
      throw refuse("pairs of keys and values", pairs.size() + " values");
    }
    for (int i = 0; i < pairs.size(); i += 2) {
      put(dictionary, pairs.get(i), pairs.get(i + 1));
    }
  }

  private void put(Dictionary dictionary, @Nullable Object key, @Nullable Object value) {
    if (!(key instanceof String) && !(key instanceof Long)) {
      throw refuse("dictionary keys of strings or integers", kind(key));
    }
    dictionary.entries.put(key, value);
  }

  private Object global(String module, String name) {
    String path = module + "." + name;
    for (Constructor constructor : Constructor.values()) {
      if (constructor.path.equals(path)) {
        return constructor;
      }
    }
    ElementType type = STORAGES.get(path);
    if (type == null) {
      throw refuse(
          "tensors only: " + STORAGES.keySet().stream().sorted().toList(),
          "a call of " + Malformed.quote(path) + ", which is not run");
    }
    return new StorageType(name, type);
  }

  /** A persistent id: {@code ("storage", type, key, device, elements)}. */
  private Storage storage(@Nullable Object id) {
    List<@Nullable Object> tuple = sequence(id).items;
    if (tuple.size() == 5
        && "storage".equals(tuple.get(0))
        && tuple.get(1) instanceof StorageType type
        && tuple.get(2) instanceof String key
        && tuple.get(4) instanceof Long elements
        && elements >= 0) {
      return new Storage(type.name, type.type, key, elements);
    }
    throw refuse("(\"storage\", type, key, device, elements)", "another persistent id");
  }

  private Object construct(@Nullable Object constructor, List<@Nullable Object> arguments) {
    if (constructor == Constructor.DICTIONARY && arguments.isEmpty()) {
      return new Dictionary();
    }
    if (constructor == Constructor.PARAMETER
        && !arguments.isEmpty()
        && arguments.get(0) instanceof Strided tensor) {
      return tensor;
    }
    if (constructor == Constructor.TENSOR
        && arguments.size() >= 4
        && arguments.get(0) instanceof Storage storage
        && arguments.get(1) instanceof Long offset) {
      return new Strided(storage, offset, longs(arguments.get(2)), longs(arguments.get(3)));
    }
    throw refuse("the arguments of a tensor", "others, for " + kind(constructor));
  }

  private List<Long> longs(@Nullable Object tuple) {
    List<Long> out = new ArrayList<>();
    List<@Nullable Object> items = sequence(tuple).items;
    if (items.size() > ElementType.MOST_DIMENSIONS) {
      throw refuse("at most " + ElementType.MOST_DIMENSIONS + " dimensions", "" + items.size());
    }
    for (Object item : items) {
      if (!(item instanceof Long n)) {
        throw refuse("a tuple of integers", "one with " + kind(item));
      }
      out.add(n);
    }
    return List.copyOf(out);
  }

  private Sequence sequence(@Nullable Object value) {
    if (value instanceof Sequence s) {
      return s;
    }
    throw refuse("a list or a tuple", kind(value));
  }

  private Dictionary dictionary(@Nullable Object value) {
    if (value instanceof Dictionary d) {
      return d;
    }
    throw refuse("a dictionary", kind(value));
  }

  /** A little-endian integer of {@code n} bytes, in two's complement. */
  private long integer(int n) {
    if (n > Long.BYTES) {
      throw refuse("integers of 64 bits", n + " bytes");
    }
    long value = 0;
    for (int i = 0; i < n; i++) {
      value |= (in.get() & 0xffL) << (8 * i);
    }
    int unused = Long.SIZE - 8 * n;
    return n == 0 ? 0 : value << unused >> unused;
  }

  private String text(long length) {
    if (length > in.remaining()) {
      throw refuse("a string within the file", length + " bytes");
    }
    ByteBuffer bytes = in.slice(in.position(), (int) length);
    in.position(in.position() + (int) length);
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException e) {
      throw refuse("text in UTF-8", "other bytes");
    }
  }

  /** Text up to the next line feed. */
  private String line() {
    int begin = in.position();
    while (in.get() != '\n') {
      // on to the end
    }
    return new String(in.array(), begin, in.position() - 1 - begin, StandardCharsets.ISO_8859_1);
  }

  private IllegalArgumentException refuse(String expected, String found) {
    return Malformed.of(
        file + " at byte " + in.position() + " of data.pkl", "refused", expected, found, FIX);
  }

  private static String kind(@Nullable Object value) {
    return value == null
        ? "None"
        : value == MARK
            ? "a mark"
            : value instanceof Strided
                ? "a tensor"
                : value.getClass().getSimpleName().toLowerCase(Locale.ROOT);
  }
}
