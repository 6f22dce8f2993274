"""scikit-learn's KMeans as AdaMSS calls it, for a Python without scikit-learn.

PEFT finds AdaMSS's clusters anew whenever it makes or loads an adapter, and imports scikit-learn for
that alone. This is Lloyd's algorithm from rows that numpy's generator draws without replacement, which
is what KMeans(init="random", n_init=1) of scikit-learn 1.3 and later does: the labels are the same
unless rows are as far from one centre as from another. `install()` puts it in scikit-learn's place.
"""

import importlib.machinery
import importlib.util
import sys
import types

import numpy


class KMeans:
    def __init__(self, n_clusters, init, n_init, max_iter, random_state):
        assert (init, n_init) == ("random", 1)
        self.clusters, self.iterations, self.seed = n_clusters, max_iter, random_state

    def fit_predict(self, rows):
        n = len(rows)
        tolerance = 1e-4 * rows.var(axis=0).mean()
        rows = rows - rows.mean(axis=0)
        weights = numpy.full(n, numpy.float32(1) / numpy.float32(n))
        generator = numpy.random.RandomState(self.seed)
        centres = rows[generator.choice(n, size=self.clusters, replace=False, p=weights)]
        labels = None
        for _ in range(self.iterations):
            before, labels = labels, self.nearest(rows, centres)
            if before is not None and (before == labels).all():
                return labels
            assert len(set(labels)) == self.clusters, "an empty cluster"
            means = numpy.stack([rows[labels == c].mean(axis=0) for c in range(self.clusters)])
            moved, centres = ((means - centres) ** 2).sum(), means
            if moved <= tolerance:
                break
        return self.nearest(rows, centres)

    @staticmethod
    def nearest(rows, centres):
        return ((centres**2).sum(axis=1) - 2 * rows @ centres.T).argmin(axis=1)


def install():
    if importlib.util.find_spec("sklearn") is not None:
        return
    package, cluster = types.ModuleType("sklearn"), types.ModuleType("sklearn.cluster")
    package.cluster, cluster.KMeans = cluster, KMeans
    for module in (package, cluster):
        module.__spec__ = importlib.machinery.ModuleSpec(module.__name__, None)
        sys.modules[module.__name__] = module
