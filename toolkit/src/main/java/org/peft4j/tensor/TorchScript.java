package org.peft4j.tensor;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.IValue;
import ai.djl.pytorch.jni.IValueUtils;
import ai.djl.pytorch.jni.JniUtils;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.jspecify.annotations.Nullable;

/**
 * PyTorch operations that DJL's arrays do not offer, called with gradients through a TorchScript
 * module that is written here: a zip with a text of methods, a module object without attributes
 * (pickle) and a few constants. Each operation class of this package contributes its method's text
 * and holds its plain twin.
 */
final class TorchScript {
  private static final String CLASS = "Ops";
  private static final Map<String, String> METHODS = new TreeMap<>();
  private static final Map<String, NDArray> METHOD_NAMES = new ConcurrentHashMap<>();
  private static final ThreadLocal<Boolean> OPTIMIZER_OFF = ThreadLocal.withInitial(() -> false);

  private static @Nullable PtSymbolBlock module;

  /** DJL's model closes its block when it is collected, so it is kept. */
  @SuppressWarnings("UnusedVariable")
  private static @Nullable Model keeper;

  static {
    for (String method :
        new String[] {
          Svd.SCRIPT,
          Qr.SCRIPT,
          Eigen.SCRIPT,
          Attention.SCRIPT,
          Attention.UNBIASED_SCRIPT,
          RotaryEmbedding.SCRIPT,
          CacheWrite.SCRIPT,
          AdamWStep.SCRIPT,
          RootMeanSquare.SCRIPT,
          LowRank.SCRIPT,
          Bfloat16.ENCODE_SCRIPT,
          Bfloat16.ROW_SCRIPT,
          Bfloat16.LINEAR_SCRIPT,
          Bfloat16.ROWS_SCRIPT,
          Bfloat16.DECODE_SCRIPT,
          CrossEntropy.SCRIPT,
          GatedStackStep.SCRIPT,
          GatedStackStep.BF16_SCRIPT,
          GatedStackStep.HALF_SCRIPT,
          HalfProduct.PACK_SCRIPT,
          HalfProduct.LINEAR_SCRIPT
        }) {
      String name = method.substring(method.indexOf("def ") + 4, method.indexOf('('));
      METHODS.put(name.strip(), method);
    }
  }

  private TorchScript() {}

  /**
   * Whether all of {@code arrays} are PyTorch's own; a traced or foreign array must take the plain
   * twin.
   */
  static boolean runs(@Nullable NDArray... arrays) {
    for (NDArray a : arrays) {
      if (a != null && !(a instanceof PtNDArray)) {
        return false;
      }
    }
    return true;
  }

  /**
   * Calls {@code method}; the results belong to the first argument's manager and the open {@link
   * Scope}.
   */
  static NDList call(String method, NDArray... arguments) {
    PtSymbolBlock m = ready();
    NDList list = new NDList(arguments.length + 1);
    for (NDArray a : arguments) {
      if (a.getName() != null) {
        a.setName(null); // names with dots or brackets would be read as structure
      }
      list.add(a);
    }
    list.add(METHOD_NAMES.get(method));
    // "training" only chooses between plain and inference-mode tensors; gradients follow the
    // thread's gradient mode
    return IValueUtils.forward(m, list, true);
  }

  /**
   * Calls a method that takes other things than tensors; closes the arguments.
   *
   * @param owner of the result
   */
  static NDArray run(String method, NDManager owner, IValue... arguments) {
    try (IValue out = value(method, arguments)) {
      return array(out, owner);
    }
  }

  /** The same for a result that is no tensor either; the caller closes it. */
  static IValue value(String method, IValue... arguments) {
    try {
      return IValueUtils.runMethod(ready(), method, arguments);
    } finally {
      for (IValue a : arguments) {
        a.close();
      }
    }
  }

  static NDArray array(IValue value, NDManager owner) {
    return value.toTensor((PtNDManager) owner);
  }

  static PtSymbolBlock ready() {
    PtSymbolBlock m = module();
    if (!OPTIMIZER_OFF.get()) {
      // a setting per thread; with it on, the JIT's own differentiation gets types wrong
      JniUtils.setGraphExecutorOptimize(false);
      OPTIMIZER_OFF.set(true);
    }
    return m;
  }

  private static synchronized PtSymbolBlock module() {
    if (module == null) {
      NDManager owner = Torch.newManager();
      Model model = Model.newInstance("peft4j-ops", "PyTorch");
      try {
        model.load(new ByteArrayInputStream(archive()));
      } catch (Exception e) {
        throw new IllegalStateException(
            "PyTorch refused the fused operations: " + e.getMessage(), e);
      }
      for (String name : METHODS.keySet()) {
        NDArray marker = owner.zeros(new Shape(1));
        marker.setName("module_method:" + name);
        ai.djl.ndarray.NDScope.unregister(marker);
        METHOD_NAMES.put(name, marker);
      }
      keeper = model;
      module = (PtSymbolBlock) model.getBlock();
    }
    return module;
  }

  /** The TorchScript archive: all members stored, so that PyTorch can map them. */
  static byte[] archive() {
    StringBuilder code =
        new StringBuilder(
            "class " + CLASS + "(Module):\n  __parameters__ = []\n  __buffers__ = []\n");
    code.append("  training : bool\n");
    METHODS.values().forEach(code::append);
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      member(zip, "data.pkl", moduleObject());
      member(zip, "code/__torch__.py", code.toString().getBytes(StandardCharsets.UTF_8));
      member(zip, "constants.pkl", new byte[] {(byte) 0x80, 2, ')', '.'}); // an empty tuple
      member(zip, "version", "3\n".getBytes(StandardCharsets.US_ASCII));
      member(zip, "byteorder", "little".getBytes(StandardCharsets.US_ASCII));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  /** Pickle (protocol 2) of {@code __torch__.Ops} with the state {@code {"training": True}}. */
  private static byte[] moduleObject() throws IOException {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(new byte[] {(byte) 0x80, 2}); // PROTO 2
    text(out, "c__torch__\n" + CLASS + "\n"); // GLOBAL
    out.write(new byte[] {')', (byte) 0x81, '}'}); // EMPTY_TUPLE NEWOBJ EMPTY_DICT
    text(out, "X"); // BINUNICODE
    out.write(new byte[] {8, 0, 0, 0});
    text(out, "training");
    out.write(new byte[] {(byte) 0x88}); // NEWTRUE
    text(out, "sb."); // SETITEM BUILD STOP
    return out.toByteArray();
  }

  private static void text(OutputStream out, String s) throws IOException {
    out.write(s.getBytes(StandardCharsets.US_ASCII));
  }

  private static void member(ZipOutputStream zip, String name, byte[] data) throws IOException {
    ZipEntry entry = new ZipEntry("ops/" + name);
    CRC32 crc = new CRC32();
    crc.update(data);
    entry.setMethod(ZipEntry.STORED);
    entry.setSize(data.length);
    entry.setCrc(crc.getValue());
    entry.setTime(0);
    zip.putNextEntry(entry);
    zip.write(data);
    zip.closeEntry();
  }
}
