package org.peft4j.cli;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.Line2D;
import java.awt.geom.RoundRectangle2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.peft4j.format.AtomicFiles;

/** The kernel's picture: a large square, and beside it the two thin matrices that are trained. */
final class Logo {
  private static final int[] SIZES = {32, 64};

  private Logo() {}

  /**
   * Writes {@code logo-32x32.png} and {@code logo-64x64.png}; nothing where this JDK cannot draw.
   */
  static void write(Path folder) throws IOException {
    for (int size : SIZES) {
      final BufferedImage picture;
      try {
        picture = draw(size);
      } catch (RuntimeException | LinkageError e) {
        return;
      }
      AtomicFiles.stream(
          folder.resolve("logo-" + size + "x" + size + ".png"),
          out -> ImageIO.write(picture, "png", out));
    }
  }

  private static BufferedImage draw(int size) {
    BufferedImage picture = new BufferedImage(size, size, BufferedImage.TYPE_INT_ARGB);
    Graphics2D g = picture.createGraphics();
    g.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    g.scale(size / 32.0, size / 32.0);
    g.setColor(new Color(0x9AA7B4));
    g.fill(new RoundRectangle2D.Double(2, 2, 20, 20, 4, 4));
    g.setColor(new Color(0xD9622B));
    g.setStroke(new BasicStroke(4, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
    g.draw(new Line2D.Double(28, 4, 28, 20));
    g.draw(new Line2D.Double(4, 28, 20, 28));
    g.dispose();
    return picture;
  }
}
