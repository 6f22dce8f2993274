package org.peft4j.kernel;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.peft4j.format.Json;
import org.zeromq.SocketType;
import org.zeromq.ZContext;
import org.zeromq.ZMQ;

/** The other end of the protocol: what a notebook does. */
final class Client implements AutoCloseable {
  private static final int PATIENCE_MILLIS = 600_000;

  /** A message that came: its type and content, and the id of the request it belongs to. */
  record Received(String type, Map<?, ?> content, String parent) {
    Object get(String key) {
      return content.get(key);
    }

    Map<?, ?> data() {
      return (Map<?, ?>) content.get("data");
    }
  }

  /** Everything that came of one request: what was published, in order, and the reply. */
  record Answer(List<Received> published, Received reply) {
    List<Received> of(String type) {
      return published.stream().filter(m -> m.type.equals(type)).toList();
    }

    String stream(String name) {
      StringBuilder s = new StringBuilder();
      of("stream").stream()
          .filter(m -> name.equals(m.get("name")))
          .forEach(m -> s.append(m.get("text")));
      return s.toString();
    }
  }

  static final class Ports {
    final Map<String, Object> file = new LinkedHashMap<>();
    final String key = UUID.randomUUID().toString();

    Ports(String ip) throws IOException {
      List<ServerSocket> held = new ArrayList<>();
      for (String p : List.of("shell", "control", "iopub", "stdin", "hb")) {
        ServerSocket s = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
        held.add(s);
        file.put(p + "_port", s.getLocalPort());
      }
      for (ServerSocket s : held) {
        s.close();
      }
      file.put("ip", ip);
      file.put("key", key);
      file.put("transport", "tcp");
      file.put("signature_scheme", "hmac-sha256");
    }

    String json() {
      return Json.line(file);
    }

    int port(String name) {
      return (Integer) file.get(name + "_port");
    }
  }

  private final Ports ports;
  private final String session = UUID.randomUUID().toString();
  private final ZContext context = new ZContext();
  final ZMQ.Socket shell;
  final ZMQ.Socket control;
  final ZMQ.Socket iopub;
  final ZMQ.Socket stdin;
  private final ZMQ.Socket heartbeat;

  Client(Ports ports) {
    this.ports = ports;
    shell = socket(SocketType.DEALER, "shell");
    stdin = socket(SocketType.DEALER, "stdin");
    control = socket(SocketType.DEALER, "control");
    iopub = socket(SocketType.SUB, "iopub");
    iopub.subscribe(new byte[0]);
    heartbeat = socket(SocketType.REQ, "hb");
  }

  private ZMQ.Socket socket(SocketType type, String name) {
    ZMQ.Socket s = context.createSocket(type);
    s.setReceiveTimeOut(PATIENCE_MILLIS);
    if (type == SocketType.DEALER) {
      s.setIdentity(utf8(session)); // questions come back to who asked
    }
    s.connect("tcp://127.0.0.1:" + ports.port(name));
    return s;
  }

  /** Asks until published messages come through, which new subscriptions take a while for. */
  void awaitReady() {
    iopub.setReceiveTimeOut(500);
    shell.setReceiveTimeOut(1000); // the first requests may be lost too
    for (int i = 0; i < 600; i++) {
      String id = send(shell, "kernel_info_request", Map.of());
      read(shell);
      for (Received r = read(iopub); r != null; r = read(iopub)) {
        if (r.parent.equals(id) && "idle".equals(r.get("execution_state"))) {
          iopub.setReceiveTimeOut(PATIENCE_MILLIS);
          shell.setReceiveTimeOut(PATIENCE_MILLIS);
          return;
        }
      }
    }
    throw new IllegalStateException("the kernel does not publish");
  }

  String send(ZMQ.Socket to, String type, Map<String, ?> content) {
    String id = UUID.randomUUID().toString();
    byte[][] parts = parts(id, type, content);
    sendFrames(to, signature(ports.key, parts), parts);
    return id;
  }

  byte[][] parts(String id, String type, Map<String, ?> content) {
    Map<String, Object> header = new LinkedHashMap<>();
    header.put("msg_id", id);
    header.put("username", "test");
    header.put("session", session);
    header.put("date", "2026-01-01T00:00:00.000000Z");
    header.put("msg_type", type);
    header.put("version", "5.3");
    return new byte[][] {utf8(Json.line(header)), utf8("{}"), utf8("{}"), utf8(Json.line(content))};
  }

  static void sendFrames(ZMQ.Socket to, String signature, byte[]... parts) {
    to.sendMore("<IDS|MSG>");
    to.sendMore(signature);
    for (int i = 0; i < parts.length; i++) {
      to.send(parts[i], i + 1 < parts.length ? ZMQ.SNDMORE : 0);
    }
  }

  static String signature(String key, byte[]... parts) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(utf8(key), "HmacSHA256"));
      for (byte[] p : parts) {
        mac.update(p);
      }
      return HexFormat.of().formatHex(mac.doFinal());
    } catch (java.security.GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** The next message; null if none comes. */
  Received read(ZMQ.Socket from) {
    List<byte[]> frames = new ArrayList<>();
    byte[] first = from.recv();
    if (first == null) {
      return null;
    }
    frames.add(first);
    while (from.hasReceiveMore()) {
      frames.add(from.recv());
    }
    int at = 0;
    while (!new String(frames.get(at), StandardCharsets.UTF_8).equals("<IDS|MSG>")) {
      at++;
    }
    byte[][] parts = frames.subList(at + 2, at + 6).toArray(byte[][]::new);
    if (!signature(ports.key, parts)
        .equals(new String(frames.get(at + 1), StandardCharsets.UTF_8))) {
      throw new IllegalStateException("the kernel signed wrongly");
    }
    Map<?, ?> header = json(parts[0]);
    Object parent = json(parts[1]).get("msg_id");
    return new Received((String) header.get("msg_type"), json(parts[3]), String.valueOf(parent));
  }

  private static Map<?, ?> json(byte[] part) {
    return (Map<?, ?>) Json.parse(new String(part, StandardCharsets.UTF_8), "message");
  }

  /** Sends a request and reads until the kernel is idle again. */
  Answer ask(ZMQ.Socket to, String type, Map<String, ?> content) {
    return await(to, send(to, type, content));
  }

  Answer await(ZMQ.Socket on, String id) {
    List<Received> published = new ArrayList<>();
    while (true) {
      Received r = read(iopub);
      if (r == null) {
        throw new IllegalStateException("no end of " + id + ", so far " + published);
      }
      if (!r.parent.equals(id)) {
        continue;
      }
      published.add(r);
      if ("idle".equals(r.get("execution_state"))) {
        break;
      }
    }
    Received reply = read(on);
    while (reply != null && !reply.parent.equals(id)) {
      reply = read(on);
    }
    return new Answer(published, reply);
  }

  static Map<String, Object> code(String code) {
    Map<String, Object> content = new LinkedHashMap<>();
    content.put("code", code);
    content.put("silent", false);
    content.put("store_history", true);
    content.put("user_expressions", Map.of());
    content.put("allow_stdin", false);
    content.put("stop_on_error", true);
    return content;
  }

  Answer execute(String code) {
    return ask(shell, "execute_request", code(code));
  }

  boolean beats() {
    heartbeat.send("beat");
    return "beat".equals(heartbeat.recvStr());
  }

  @Override
  public void close() {
    context.close();
  }
}
