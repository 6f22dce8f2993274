package org.peft4j.hub;

import org.jspecify.annotations.Nullable;

/** What it means when the hub says no, and what helps. */
final class Refusal {
  private final HubSettings settings;
  private final Endpoint endpoint;

  Refusal(HubSettings settings) {
    this.settings = settings;
    endpoint = new Endpoint(settings.endpoint());
  }

  /**
   * The failure that an answer of 400 or above is.
   *
   * @param id the repository
   * @param what was asked for, such as {@code revision v2}
   */
  HubFailure of(Answer answer, String id, String what) {
    String code = answer.header("X-Error-Code");
    int status = answer.status();
    if ("GatedRepo".equals(code)) {
      return gated(answer, id);
    }
    if ("RevisionNotFound".equals(code)) {
      return missing(answer, id, what, "see its branches at " + endpoint.page(id) + "/tree/main");
    }
    if ("EntryNotFound".equals(code)) {
      return missing(answer, id, what, "see its files at " + endpoint.page(id) + "/tree/main");
    }
    if (status == 401 && answer.reason().contains("Invalid credentials")) {
      return failure(
          HubFailure.Kind.REFUSED,
          id,
          "the hub does not know " + source(),
          "a valid token, or none",
          answer,
          "make a new one at " + settings.endpoint() + "/settings/tokens");
    }
    if ("RepoNotFound".equals(code) || status == 401 || status == 404) {
      return failure(
          HubFailure.Kind.REFUSED,
          id,
          "no such repository"
              + (settings.token() == null ? " that one sees without a token" : " for " + source()),
          "a model at " + endpoint.page(id),
          answer,
          "check the name; if it is private or gated, "
              + (settings.token() == null
                  ? getToken()
                  : "see whether the owner of " + source() + " may read it"));
    }
    if (status == 403) {
      return failure(
          HubFailure.Kind.REFUSED,
          id,
          "the hub forbids it: " + what,
          "the right to do so",
          answer,
          settings.token() == null
              ? getToken()
              : "give " + source() + " that right at " + settings.endpoint() + "/settings/tokens");
    }
    if (status == 409) {
      return failure(
          HubFailure.Kind.CONFLICT,
          id,
          what + " collides with what is there",
          "the state it was in before",
          answer,
          "try again");
    }
    return failure(HubFailure.Kind.OTHER, id, what + " failed", "an answer of 200", answer, null);
  }

  /** Tried often enough. */
  HubFailure unreachable(String id, String what, int attempts, Throwable last) {
    String found = last.getMessage() + (attempts > 1 ? " (after " + attempts + " attempts)" : "");
    boolean limited = found.contains("429");
    return new HubFailure(
        HubFailure.Kind.UNREACHABLE,
        Message.of(
            id,
            what + " cannot be had from " + settings.endpoint(),
            "an answer",
            found,
            limited
                ? "wait, and ask less often"
                    + (settings.token() == null ? "; or set HF_TOKEN, which raises the limit" : "")
                : "check the network (proxies: -Dhttps.proxyHost, -Dhttps.proxyPort) and"
                    + " HF_ENDPOINT"),
        last);
  }

  private HubFailure gated(Answer answer, String id) {
    String page = endpoint.page(id);
    return failure(
        HubFailure.Kind.REFUSED,
        id,
        "its authors let in only those who accept their terms",
        "a token of somebody who has",
        answer,
        "accept the licence at "
            + page
            + ", "
            + (settings.token() == null ? "and " + getToken() : "as the owner of " + source()));
  }

  private static HubFailure missing(Answer answer, String id, String what, String fix) {
    return failure(HubFailure.Kind.MISSING, id, "has no " + what, what, answer, fix);
  }

  private static HubFailure failure(
      HubFailure.Kind kind,
      String id,
      String what,
      String expected,
      Answer answer,
      @Nullable String fix) {
    String reason = answer.reason();
    String found = "the answer " + answer.status() + (reason.isEmpty() ? "" : ": " + reason);
    return new HubFailure(kind, Message.of(id, what, expected, found, fix), null);
  }

  private String source() {
    return String.valueOf(settings.token());
  }

  private String getToken() {
    return "set HF_TOKEN to a token from " + settings.endpoint() + "/settings/tokens";
  }
}
