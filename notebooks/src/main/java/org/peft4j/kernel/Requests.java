package org.peft4j.kernel;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.reflect.TypeToken;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.dflib.jjava.jupyter.channels.JupyterConnection;
import org.dflib.jjava.jupyter.channels.ShellChannel;
import org.dflib.jjava.jupyter.channels.ShellHandler;
import org.dflib.jjava.jupyter.channels.ShellReplyEnvironment;
import org.dflib.jjava.jupyter.kernel.KernelConnectionProperties;
import org.dflib.jjava.jupyter.messages.HMACGenerator;
import org.dflib.jjava.jupyter.messages.Header;
import org.dflib.jjava.jupyter.messages.KernelTimestamp;
import org.dflib.jjava.jupyter.messages.Message;
import org.dflib.jjava.jupyter.messages.MessageType;
import org.dflib.jjava.jupyter.messages.adapters.HeaderAdapter;
import org.dflib.jjava.jupyter.messages.adapters.HistoryRequestAdapter;
import org.dflib.jjava.jupyter.messages.adapters.KernelTimestampAdapter;
import org.dflib.jjava.jupyter.messages.adapters.MessageTypeAdapter;
import org.dflib.jjava.jupyter.messages.request.HistoryRequest;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.zeromq.ZMQ;

/**
 * A socket that takes requests (the protocol's shell or control) and hands them to the kernel one
 * after another. What is not signed with the connection's key, or is no message at all, is dropped,
 * and the next one is read.
 */
final class Requests extends ShellChannel {
  private static final Logger LOGGER = LoggerFactory.getLogger(Requests.class);
  private static final byte[] DELIMITER = "<IDS|MSG>".getBytes(StandardCharsets.US_ASCII);
  private static final int PARTS = 5; // signature, header, parent's header, metadata, content
  private static final int POLL_MILLIS = 50;
  private static final Gson GSON =
      new GsonBuilder()
          .registerTypeAdapter(KernelTimestamp.class, KernelTimestampAdapter.INSTANCE)
          .registerTypeAdapter(Header.class, HeaderAdapter.INSTANCE)
          .registerTypeAdapter(MessageType.class, MessageTypeAdapter.INSTANCE)
          .registerTypeAdapter(HistoryRequest.class, HistoryRequestAdapter.INSTANCE)
          .create();

  private final HMACGenerator signatures;
  private final JupyterConnection connection;
  private final boolean isControl;
  private final Thread reader;
  private volatile boolean ends;

  Requests(
      ZMQ.Context context,
      HMACGenerator signatures,
      boolean isControl,
      JupyterConnection connection) {
    super(context, signatures, isControl, connection);
    this.signatures = signatures;
    this.connection = connection;
    this.isControl = isControl;
    reader = new Thread(this::read, isControl ? "control" : "shell");
    reader.setDaemon(true);
    setLinger(1000);
  }

  @Override
  public void bind(KernelConnectionProperties p) {
    bind(
        formatAddress(
            p.getTransport(), p.getIp(), isControl ? p.getControlPort() : p.getShellPort()));
    setReceiveTimeOut(POLL_MILLIS);
    reader.start();
  }

  private void read() {
    while (!ends) {
      List<byte[]> frames = frames();
      if (frames.isEmpty()) {
        continue;
      }
      try {
        Message<?> message = decode(frames);
        if (message != null) {
          handle(message);
        }
      } catch (RuntimeException e) { // of the JSON reader, for the most part
        LOGGER.warn("dropped a request that is not well-formed: {}", e.toString());
      }
    }
    super.close(); // a socket belongs to one thread
  }

  private List<byte[]> frames() {
    List<byte[]> frames = new ArrayList<>();
    byte[] first = recv();
    if (first != null) {
      frames.add(first);
      while (hasReceiveMore()) {
        frames.add(recv());
      }
    }
    return frames;
  }

  /** Null for what is to be dropped. */
  private @Nullable Message<?> decode(List<byte[]> frames) {
    int delimiter = 0;
    while (delimiter < frames.size() && !Arrays.equals(frames.get(delimiter), DELIMITER)) {
      delimiter++;
    }
    if (frames.size() < delimiter + 1 + PARTS) {
      LOGGER.warn("dropped a request of {} frames, which are too few", frames.size());
      return null;
    }
    List<byte[]> parts = frames.subList(delimiter + 1, frames.size());
    String signature =
        signatures.calculateSignature(parts.get(1), parts.get(2), parts.get(3), parts.get(4));
    boolean signed =
        signature == null // a connection without key
            || MessageDigest.isEqual(signature.getBytes(StandardCharsets.US_ASCII), parts.get(0));
    if (!signed) {
      LOGGER.warn("dropped a request with a wrong signature");
      return null;
    }
    return message(frames.subList(0, delimiter), parts);
  }

  @SuppressWarnings({"unchecked", "rawtypes"}) // the content is of the header's type
  private static Message<?> message(List<byte[]> identities, List<byte[]> parts) {
    Header header = GSON.fromJson(text(parts.get(1)), Header.class);
    Header parent = null;
    if (text(parts.get(2)).contains("msg_id")) {
      parent = GSON.fromJson(text(parts.get(2)), Header.class);
    }
    Map<String, Object> metadata =
        GSON.fromJson(text(parts.get(3)), new TypeToken<Map<String, Object>>() {}.getType());
    Object content = GSON.fromJson(text(parts.get(4)), header.getType().getContentType());
    if (content == null) {
      throw new IllegalArgumentException("no content");
    }
    return new Message(
        new ArrayList<>(identities),
        header,
        parent,
        metadata,
        content,
        new ArrayList<>(parts.subList(PARTS, parts.size())));
  }

  private static String text(byte[] frame) {
    return new String(frame, StandardCharsets.UTF_8);
  }

  @SuppressWarnings({"unchecked", "rawtypes"}) // handlers are kept by type
  private void handle(Message<?> message) {
    ShellHandler handler = connection.getHandler(message.getHeader().getType());
    if (handler == null) {
      LOGGER.warn("no answer to {}", message.getHeader().getType().getName());
      return;
    }
    ShellReplyEnvironment reply = connection.prepareReplyEnv(this, message);
    try {
      handler.handle(reply, message);
    } finally {
      reply.resolveDeferrals();
    }
    if (reply.isMarkedForShutdown()) {
      ends = true;
    }
  }

  @Override
  public void close() {
    ends = true;
    try {
      reader.join(5 * POLL_MILLIS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public void waitUntilClose() {
    try {
      reader.join();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
