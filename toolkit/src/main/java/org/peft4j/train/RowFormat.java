package org.peft4j.train;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.peft4j.data.Conversation;
import org.peft4j.tensor.CrossEntropy;
import org.peft4j.text.ChatFormat;
import org.peft4j.text.Message;
import org.peft4j.text.Span;
import org.peft4j.text.Tokenizer;
import org.peft4j.text.Tokens;

/**
 * How rows become tokens and labels. A chat is rendered as one text and tokenised whole. Learned
 * are the assistant's turns: what the rendering has after the prompt that asks for the turn, up to
 * and including the token that ends it. Without a chat format a chat is its contents in a row, as
 * they are, and the end token.
 *
 * @param maxLength tokens after which a row is cut
 * @param wholeText whether everything is learned rather than the assistant's turns
 * @param chat how the model writes chats; null for contents in a row
 * @param ends ids of the tokens that end a turn or a text; the first is put behind texts and chats
 *     without a format
 */
public record RowFormat(
    int maxLength, boolean wholeText, @Nullable ChatFormat chat, List<Long> ends) {
  /** 1,024 tokens, assistant's turns, no chat format, no end token. */
  public static final RowFormat DEFAULT = new RowFormat(1024, false, null, List.of());

  public RowFormat {
    if (maxLength < 2) {
      throw new IllegalArgumentException(
          "maxLength\nexpected: at least 2 tokens\nfound: " + maxLength);
    }
    ends = List.copyOf(ends);
  }

  /** The same with rows cut after {@code n} tokens. */
  public RowFormat maxLength(int n) {
    return new RowFormat(n, wholeText, chat, ends);
  }

  /** The same with everything learned, questions too. */
  public RowFormat learnWholeText() {
    return new RowFormat(maxLength, true, chat, ends);
  }

  /** The same with chats written so. */
  public RowFormat chat(@Nullable ChatFormat format) {
    return new RowFormat(maxLength, wholeText, format, ends);
  }

  /** The same with turns and texts ended by these tokens. */
  public RowFormat ends(List<Long> tokenIds) {
    return new RowFormat(maxLength, wholeText, chat, tokenIds);
  }

  /** A text and the parts of it that are to be learned. */
  private record Rendered(String text, List<Span> learned, boolean rendered) {}

  /**
   * The tokens of a row.
   *
   * @throws IllegalArgumentException if the chat format writes a turn differently once others
   *     follow it
   */
  LabelledTokens encode(Conversation row, Tokenizer tokenizer) {
    Rendered r = render(row);
    Tokenizer t = tokenizer.withSpecialTokens(!r.rendered);
    Tokens tokens = t.encode(r.text);
    long[] ids = tokens.ids();
    long[] labels = new long[ids.length];
    Arrays.fill(labels, CrossEntropy.IGNORED);
    if (wholeText || row instanceof Conversation.Text) {
      labels = ids.clone();
    } else {
      label(ids, labels, t.spans(r.text), r.learned);
    }
    if (!r.rendered
        && !ends.isEmpty()
        && (ids.length == 0 || !ends.contains(ids[ids.length - 1]))) {
      ids = plus(ids, ends.get(0));
      labels = plus(labels, ends.get(0));
    }
    boolean cut = ids.length > maxLength;
    if (cut) {
      ids = Arrays.copyOf(ids, maxLength);
      labels = Arrays.copyOf(labels, maxLength);
    }
    return new LabelledTokens(ids, labels, cut).trimmed();
  }

  private void label(long[] ids, long[] labels, List<Span> spans, List<Span> learned) {
    for (Span part : learned) {
      for (int i = 0; i < ids.length; i++) {
        int start = spans.get(i).start();
        if (start >= part.start() && start < part.end()) {
          labels[i] = ids[i];
          if (ends.contains(ids[i])) {
            break; // what follows, such as a line feed, belongs to the next turn
          }
        }
      }
    }
  }

  private Rendered render(Conversation row) {
    if (!(row instanceof Conversation.Chat c)) {
      return new Rendered(((Conversation.Text) row).text(), List.of(), false);
    }
    return chat == null ? inARow(c.messages()) : formatted(c.messages(), chat);
  }

  private static Rendered inARow(List<Message> messages) {
    StringBuilder text = new StringBuilder();
    List<Span> learned = new ArrayList<>();
    for (Message m : messages) {
      int from = text.length();
      text.append(m.content());
      if (Conversation.isAnswer(m)) {
        learned.add(new Span(from, text.length()));
      }
    }
    return new Rendered(text.toString(), learned, false);
  }

  private static Rendered formatted(List<Message> messages, ChatFormat format) {
    String text = format.render(messages, false);
    List<Span> learned = new ArrayList<>();
    for (int i = 0; i < messages.size(); i++) {
      if (Conversation.isAnswer(messages.get(i))) {
        String prompt = format.render(messages.subList(0, i), true);
        String turn =
            i == messages.size() - 1 ? text : format.render(messages.subList(0, i + 1), false);
        if (!turn.startsWith(prompt) || !text.startsWith(turn)) {
          throw new IllegalArgumentException(
              "the chat template writes turn "
                  + (i + 1)
                  + " differently once it is answered\nexpected: a text that begins with: "
                  + shorten(turn.startsWith(prompt) ? turn : prompt)
                  + "\nfound: "
                  + shorten(turn.startsWith(prompt) ? text : turn)
                  + "\nfix: make a row of each turn, with what comes before it as the prompt");
        }
        learned.add(new Span(prompt.length(), turn.length()));
      }
    }
    return new Rendered(text, learned, true);
  }

  private static String shorten(String text) {
    return text.length() <= 200 ? text : "..." + text.substring(text.length() - 200);
  }

  private static long[] plus(long[] values, long last) {
    long[] out = Arrays.copyOf(values, values.length + 1);
    out[values.length] = last;
    return out;
  }
}
