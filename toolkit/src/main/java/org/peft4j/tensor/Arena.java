package org.peft4j.tensor;

import ai.djl.ndarray.NDManager;
import java.lang.ref.Cleaner;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Native memory shared by a model and those derived from it. The last holder to let go frees it: by
 * {@code close()}, or by the garbage collector once the holder is unreachable, so that a notebook
 * cell run again does not leak.
 */
public final class Arena {
  private static final Cleaner CLEANER = Cleaner.create();

  private final NDManager manager;
  private final AtomicInteger holders = new AtomicInteger();

  public Arena() {
    manager = Torch.newManager();
    manager.setName("arena");
  }

  /** The manager that owns the arrays. */
  public NDManager manager() {
    return manager;
  }

  /** Whether the memory is still there. */
  public boolean isOpen() {
    return manager.isOpen();
  }

  /**
   * Makes {@code holder} keep this arena open until the returned handle is closed or the holder is
   * collected. The handle must not be reachable from anything but the holder.
   */
  public Hold heldBy(Object holder) {
    if (!isOpen()) {
      throw new IllegalStateException("the model was closed; load it again");
    }
    holders.incrementAndGet();
    return new Hold(CLEANER.register(holder, this::release));
  }

  private void release() {
    if (holders.decrementAndGet() == 0) {
      manager.close();
    }
  }

  /** One holder's claim; closing it twice does nothing. */
  public static final class Hold implements AutoCloseable {
    private final Cleaner.Cleanable cleanable;

    private Hold(Cleaner.Cleanable cleanable) {
      this.cleanable = cleanable;
    }

    @Override
    public void close() {
      cleanable.clean();
    }
  }
}
