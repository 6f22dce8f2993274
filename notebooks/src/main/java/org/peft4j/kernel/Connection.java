package org.peft4j.kernel;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.security.GeneralSecurityException;
import org.dflib.jjava.jupyter.channels.JupyterConnection;
import org.dflib.jjava.jupyter.kernel.KernelConnectionProperties;
import org.dflib.jjava.jupyter.messages.HMACGenerator;
import org.dflib.jjava.jupyter.messages.Message;
import org.dflib.jjava.jupyter.messages.MessageType;
import org.dflib.jjava.jupyter.messages.publish.PublishStatus;
import org.zeromq.ZMQ;

/**
 * The five sockets to Jupyter, on this machine's own address only. The two that take requests are
 * {@link Requests}, as the base's end at the first message that is not well-formed.
 */
final class Connection extends JupyterConnection implements AutoCloseable {
  private final KernelConnectionProperties properties;
  private final ZMQ.Context context = ZMQ.context(1);
  private final Requests requests;
  private final Requests controls;

  /**
   * @throws IllegalArgumentException for an address that others can reach
   */
  Connection(KernelConnectionProperties properties) throws GeneralSecurityException {
    super(onLoopback(properties));
    this.properties = properties;
    HMACGenerator signatures = properties.createHMACGenerator();
    requests = new Requests(context, signatures, false, this);
    controls = new Requests(context, signatures, true, this);
  }

  private static KernelConnectionProperties onLoopback(KernelConnectionProperties properties) {
    String ip = properties.getIp();
    boolean loopback = "ipc".equals(properties.getTransport());
    try {
      loopback |= InetAddress.getByName(ip).isLoopbackAddress();
    } catch (UnknownHostException e) {
      // then it is none of this machine's
    }
    if (!loopback) {
      throw new IllegalArgumentException(
          "connection file: ip "
              + ip
              + "\nexpected: 127.0.0.1, as whoever reaches a kernel runs code in it\nfix: start Jupyter on the machine of the kernel");
    }
    return properties;
  }

  @Override
  public void connect() {
    heartbeat.bind(properties);
    stdin.bind(properties);
    iopub.bind(properties);
    controls.bind(properties);
    requests.bind(properties);
    iopub.sendMessage(new Message<>(null, MessageType.PUBLISH_STATUS, PublishStatus.STARTING));
  }

  @Override
  public void close() {
    requests.close();
    controls.close();
    context.close();
    super.close();
  }

  @Override
  public void waitUntilClose() {
    controls.waitUntilClose();
  }
}
