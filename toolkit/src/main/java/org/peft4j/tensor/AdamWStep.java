package org.peft4j.tensor;

import ai.djl.ndarray.NDArray;

/**
 * One AdamW update of one tensor in place (Loshchilov and Hutter, arXiv 1711.05101, in PyTorch's
 * order of operations):
 *
 * <pre>
 * p -= lr wd p;  m += (1 - b1)(g - m);  v = b2 v + (1 - b2) g g
 * p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)
 * </pre>
 */
public final class AdamWStep {
  static final String SCRIPT =
      """
        def adamw(self: __torch__.Ops,
          p: Tensor,
          g: Tensor,
          m: Tensor,
          v: Tensor,
          h: Tensor) -> Tensor:
          decay = float(torch.select(h, 0, 0))
          one_minus_beta1 = float(torch.select(h, 0, 1))
          beta2 = float(torch.select(h, 0, 2))
          one_minus_beta2 = float(torch.select(h, 0, 3))
          step_size = float(torch.select(h, 0, 4))
          correction = float(torch.select(h, 0, 5))
          eps = float(torch.select(h, 0, 6))
          _0 = torch.mul_(p, decay)
          _1 = torch.lerp_(m, g, one_minus_beta1)
          _2 = torch.addcmul_(torch.mul_(v, beta2), g, g, value=one_minus_beta2)
          denominator = torch.add_(torch.div_(torch.sqrt(v), correction), eps)
          _3 = torch.addcdiv_(p, m, denominator, value=step_size)
          return p
      """;

  private AdamWStep() {}

  /**
   * Updates {@code p}, {@code m} and {@code v} in place.
   *
   * @param p the parameter; it must not require gradients while it is updated
   * @param t the number of this update, from 1
   */
  public static void apply(
      NDArray p,
      NDArray g,
      NDArray m,
      NDArray v,
      long t,
      double lr,
      double b1,
      double b2,
      double eps,
      double decay) {
    double stepSize = -lr / (1 - Math.pow(b1, t));
    double correction = Math.sqrt(1 - Math.pow(b2, t));
    double[] h = {1 - lr * decay, 1 - b1, b2, 1 - b2, stepSize, correction, eps};
    if (TorchScript.runs(p, g, m, v)) {
      TorchScript.call("adamw", p, g, m, v, p.getManager().create(h));
    } else {
      plain(p, g, m, v, h);
    }
  }

  static void plain(NDArray p, NDArray g, NDArray m, NDArray v, double[] h) {
    p.muli(h[0]);
    m.addi(g.sub(m).mul(h[1]));
    v.muli(h[2]).addi(g.mul(g).mul(h[3]));
    p.addi(m.div(v.sqrt().div(h[5]).add(h[6])).mul(h[4]));
  }
}
