"""A small network for handwritten digits with nine of ten weights gone: who keeps its accuracy."""

import numpy as np
import pytest
from scipy.optimize import minimize
from subspan.pruning import iht, iobs

datasets = pytest.importorskip("sklearn.datasets")


class Network:
    """Softmax over 32 rectified units; a constant input and unit stand for biases."""

    hidden, classes, decay = 32, 10, 1e-3

    def __init__(self, X, labels):
        self.X, self.Y = with_ones(X), np.eye(self.classes)[labels]
        self.first = self.hidden * self.X.shape[1]
        self.size = self.first + self.classes * (self.hidden + 1)

    def parts(self, theta):
        A = theta[: self.first].reshape(self.hidden, -1)
        return A, theta[self.first :].reshape(self.classes, -1)

    def forward(self, theta, X):
        A, B = self.parts(theta)
        h = with_ones(np.maximum(X @ A.T, 0))
        z = h @ B.T
        p = np.exp(z - z.max(1, keepdims=True))
        return h, p / p.sum(1, keepdims=True)

    def loss(self, theta):
        p = self.forward(theta, self.X)[1]
        return float(-(self.Y * np.log(p + 1e-300)).sum() / len(p) + self.decay / 2 * theta @ theta)

    def gradient(self, theta):
        _, B = self.parts(theta)
        h, p = self.forward(theta, self.X)
        e = (p - self.Y) / len(p)
        first = ((e @ B[:, :-1]) * (h[:, :-1] > 0)).T @ self.X
        return np.r_[first.ravel(), (e.T @ h).ravel()] + self.decay * theta

    def hessian(self, theta):
        """Gauss-Newton: ``J^T (diag p - p p^T) J``, by a square root of the middle factor."""
        _, B = self.parts(theta)
        h, p = self.forward(theta, self.X)
        r = np.sqrt(p)
        root = np.eye(self.classes) * r[:, None, :] - p[:, :, None] * r[:, None, :]
        back = np.einsum("ncj,ci->nji", root, B[:, :-1]) * (h[:, None, :-1] > 0)
        rows = len(p) * self.classes
        J = np.c_[
            np.einsum("nji,nd->njid", back, self.X).reshape(rows, -1),
            np.einsum("ncj,nk->njck", root, h).reshape(rows, -1),
        ]
        return J.T @ J / len(p) + self.decay * np.eye(self.size)

    def accuracy(self, theta, X, labels):
        return float((self.forward(theta, with_ones(X))[1].argmax(1) == labels).mean())


def with_ones(X):
    return np.c_[X, np.ones(len(X))]


def test_the_derivatives_are_those_of_the_loss(rng):
    net = Network(rng.random((20, 5)), rng.integers(10, size=20))
    theta, step = rng.standard_normal(net.size), rng.standard_normal(net.size) * 1e-6
    change = (net.loss(theta + step) - net.loss(theta - step)) / 2
    np.testing.assert_allclose(net.gradient(theta) @ step, change, rtol=1e-4)
    # Gauss-Newton is the Hessian of the divergence from the network's own predictions, at these.
    net.Y = net.forward(theta, net.X)[1]
    curve = (net.gradient(theta + step) - net.gradient(theta - step)) / 2
    np.testing.assert_allclose(net.hessian(theta) @ step, curve, rtol=1e-3, atol=1e-10)


@pytest.mark.slow
def test_iterations_of_obs_keep_more_accuracy_than_one():
    """Means over three splits; where a tenth of the weights is left (Section 9.2)."""
    X, y = datasets.load_digits(return_X_y=True)
    found = {}
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(X))
        shown, tested = order[:300], order[600:]
        net = Network(X[shown] / 16, y[shown])
        start = np.random.default_rng(seed).standard_normal(net.size) * 0.15
        dense = minimize(net.loss, start, jac=net.gradient, method="L-BFGS-B").x
        k = round(0.1 * net.size)
        largest = np.where(np.abs(dense) >= np.sort(np.abs(dense))[-k], dense, 0)
        options = {"mode": "greedy", "damping": 1e-3}
        once = iobs(net.gradient, net.hessian, dense, k, iterations=1, **options).theta
        more = iobs(
            net.gradient, net.hessian, once, k, iterations=2, loss=net.loss, **options
        ).theta
        tuned = iht(net.gradient, largest, k, step=1.0, loss=net.loss, iterations=60).theta
        methods = {"magnitude": largest, "obs": once, "iobs": more, "iht": tuned}
        for name, theta in methods.items():
            assert np.count_nonzero(theta) <= k
            accuracy = net.accuracy(theta, X[tested] / 16, y[tested])
            found.setdefault(name, []).append(accuracy)
    mean = {name: np.mean(values) for name, values in found.items()}
    assert mean["magnitude"] < mean["obs"] - 0.1
    assert mean["obs"] <= mean["iobs"]
    assert mean["iht"] < mean["iobs"]
