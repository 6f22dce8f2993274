package org.peft4j.notebook;

import java.util.ArrayList;
import java.util.List;

/** A page that keeps what is shown on it. */
final class RecordingDisplay implements Display {
  final List<Rich> shown = new ArrayList<>();
  final List<Rich> updates = new ArrayList<>();
  final List<String> ids = new ArrayList<>();

  @Override
  public void show(Rich content) {
    shown.add(content);
  }

  @Override
  public void update(String id, Rich content) {
    ids.add(id);
    updates.add(content);
  }

  @Override
  public boolean isRich() {
    return true;
  }
}
