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
  /** The update's list is returned from, or it would be taken for dead code. */
  static final String SCRIPT =
      """
        def adamw(self: __torch__.Ops,
          p: Tensor,
          g: Tensor,
          m: Tensor,
          v: Tensor,
          h: Tensor) -> Tensor:
          t = torch.to(torch.select(h, 0, 0), 6)
          lr = float(torch.select(h, 0, 1))
          b1 = float(torch.select(h, 0, 2))
          b2 = float(torch.select(h, 0, 3))
          eps = float(torch.select(h, 0, 4))
          wd = float(torch.select(h, 0, 5))
          none = annotate(List[Tensor], [])
          out = [p]
          torch._fused_adamw_(out, [g], [m], [v], none, [t], lr=lr, beta1=b1, beta2=b2, weight_decay=wd, eps=eps, amsgrad=False, maximize=False)
          return out[0]
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
    double[] h = {t, lr, b1, b2, eps, decay};
    if (TorchScript.runs(p, g, m, v)) {
      TorchScript.call("adamw", p, g, m, v, p.getManager().create(h));
    } else {
      plain(p, g, m, v, h);
    }
  }

  static void plain(NDArray p, NDArray g, NDArray m, NDArray v, double[] h) {
    double t = h[0];
    double lr = h[1];
    p.muli(1 - lr * h[5]);
    m.addi(g.sub(m).mul(1 - h[2]));
    v.muli(h[3]).addi(g.mul(g).mul(1 - h[3]));
    double correction = Math.sqrt(1 - Math.pow(h[3], t));
    double step = -lr / (1 - Math.pow(h[2], t));
    p.addi(m.div(v.sqrt().div(correction).add(h[4])).mul(step));
  }
}
