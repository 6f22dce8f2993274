package org.peft4j.hub;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.peft4j.format.Json;
import org.peft4j.format.PassingFailure;
import org.peft4j.format.Patience;
import org.peft4j.format.Redirects;

/**
 * Requests to a hub, about one repository. The token goes to the hub's own scheme, host and port,
 * and nowhere else.
 */
final class Requests {
  private static final HttpClient CLIENT =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .followRedirects(HttpClient.Redirect.NEVER)
          .connectTimeout(Duration.ofSeconds(10))
          .build();
  private static final long SLOWEST = 20_000; // bytes of an upload in a second

  private final HubSettings settings;
  private final String id;
  private final Refusal refusal;

  Requests(HubSettings settings, String id) {
    this.settings = settings;
    this.id = id;
    refusal = new Refusal(settings);
  }

  /** The same, asking once alone where the hub does not answer. */
  Requests once() {
    HubSettings s = settings;
    return new Requests(
        new HubSettings(
            s.endpoint(), s.cache(), s.token(), s.offline(), s.links(), s.patience().attempts(1)),
        id);
  }

  Answer get(URI uri, String what) throws IOException {
    return send(uri, "GET", BodyPublishers::noBody, 0, Map.of(), what);
  }

  /** The headers alone; a redirect to where a large file is stored is the answer. */
  Answer head(URI uri, String what) throws IOException {
    return send(uri, "HEAD", BodyPublishers::noBody, 0, Map.of(), what);
  }

  /** Sends an object of JSON. */
  Answer post(URI uri, Map<String, ?> json, Map<String, String> headers, String what)
      throws IOException {
    String body = Json.line(json);
    return send(
        uri,
        "POST",
        () -> BodyPublishers.ofString(body),
        body.length(),
        headers.containsKey("Content-Type") ? headers : Map.of("Content-Type", "application/json"),
        what);
  }

  /** Sends a body. */
  Answer send(
      URI uri,
      String method,
      Supplier<BodyPublisher> body,
      long length,
      Map<String, String> headers,
      String what)
      throws IOException {
    Patience patience = settings.patience();
    return patience.attempt(
        () -> attempt(uri, method, body, length, headers, what),
        (n, e) -> refusal.unreachable(id, what, n, e));
  }

  private Answer attempt(
      URI uri,
      String method,
      Supplier<BodyPublisher> body,
      long length,
      Map<String, String> headers,
      String what)
      throws IOException {
    URI at = uri;
    for (int hops = 0; hops <= Redirects.MOST; hops++) {
      HttpResponse<String> response = exchange(request(at, method, body.get(), length, headers));
      Answer answer = Answer.of(response);
      if (Patience.mayPass(answer.status())) {
        throw passing(answer);
      }
      if (answer.status() >= 400) {
        throw refusal.of(answer, id, what);
      }
      URI next = redirect(at, response, method);
      if (next == null) {
        return answer;
      }
      at = next;
    }
    throw new PassingFailure("more than " + Redirects.MOST + " redirects in a row", -1, null);
  }

  /** Where to ask instead; null where the answer is to be taken. */
  private @Nullable URI redirect(URI at, HttpResponse<?> response, String method)
      throws IOException {
    URI next = Redirects.target(at, response);
    if (next == null || Redirects.sameOrigin(settings.endpoint(), next) || method.equals("GET")) {
      return next;
    }
    if (method.equals("HEAD")) { // to a store, by an answer that says all; or a mirror to the hub
      boolean says = response.headers().firstValue("X-Linked-ETag").isPresent();
      return says ? null : next;
    }
    throw new HubFailure(
        HubFailure.Kind.OTHER,
        Message.of(at, "what is sent stays with this host", "no redirect", next.getHost(), null),
        null);
  }

  private static PassingFailure passing(Answer answer) {
    long asked = Patience.asked(answer.headers());
    String reason = answer.reason();
    return new PassingFailure(
        "the answer "
            + answer.status()
            + (reason.isEmpty() ? "" : ": " + reason)
            + (asked > 0 ? ", to be asked again in " + asked / 1000 + " s" : ""),
        asked,
        null);
  }

  private HttpRequest request(
      URI at, String method, BodyPublisher body, long length, Map<String, String> headers) {
    Duration time = settings.patience().silence().plusSeconds(length / SLOWEST);
    HttpRequest.Builder request =
        HttpRequest.newBuilder(at)
            .timeout(time)
            .header("User-Agent", "peft4j")
            .header("Accept-Encoding", "identity")
            .method(method, body);
    headers.forEach(request::setHeader);
    Token token = settings.token();
    if (token != null && Redirects.sameOrigin(settings.endpoint(), at)) {
      request.setHeader("Authorization", token.bearer());
    }
    return request.build();
  }

  private static HttpResponse<String> exchange(HttpRequest request) throws IOException {
    try {
      return CLIENT.send(request, HttpResponse.BodyHandlers.ofString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedIOException(request.uri() + ": interrupted");
    } catch (IOException e) {
      String reason = e.getMessage() != null ? e.getMessage() : e.getClass().getSimpleName();
      throw new PassingFailure("no answer: " + reason, -1, e);
    }
  }
}
