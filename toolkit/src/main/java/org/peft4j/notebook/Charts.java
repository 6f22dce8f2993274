package org.peft4j.notebook;

import org.peft4j.train.Fit;

/** Charts of training runs and of whatever has numbers (drawn by JFreeChart). */
public final class Charts {
  private Charts() {}

  /** A chart of lines and points, to be filled. */
  public static LineChart lines(String title) {
    return LineChart.of(title);
  }

  /** A chart of bars, to be filled. */
  public static BarChart bars(String title) {
    return BarChart.of(title);
  }

  /** A matrix {@code [rows][columns]} in colours. */
  public static HeatMap heatMap(String title, float[][] matrix) {
    return HeatMap.of(title, matrix);
  }

  /** The loss of one run. */
  public static LineChart loss(Fit fit) {
    return losses("Training loss").run("loss", fit);
  }

  /** A chart of losses over steps, to be filled: {@code losses("Loss").run("LoRA", fit)}. */
  public static LineChart losses(String title) {
    return lines(title).axes("step", "loss");
  }
}
