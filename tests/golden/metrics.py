"""Metrics by scikit-learn, scikit-dimension and NumPy in f64: python metrics.py MNIST_FOLDER OUT

Writes, per data set, OUT/NAME.npz (x, y, second, weight, bias) and OUT/NAME.json with the values. Data sets: raw pixels of MNIST, the digits that
scikit-learn brings, and three clouds far from the origin. Knows nothing of the crate.
"""

import json
import pathlib
import sys
import unittest.mock
import warnings

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_samples
from sklearn.metrics.pairwise import cosine_distances
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import SVC

# scikit-dimension imports these for estimators that are not used here.
for absent in ("numba", "matplotlib", "matplotlib.pyplot", "mpl_toolkits", "mpl_toolkits.mplot3d"):
    sys.modules.setdefault(absent, unittest.mock.MagicMock())
from skdim.id import MLE, TwoNN  # noqa: E402

K = 30
TEMPERATURE_IN_MEAN_SQUARES = 0.3


def data_sets(mnist):
    rng = np.random.default_rng(20240501)
    # Raw pixels, 0 to 255: 600 consecutive samples.
    pixels = np.fromfile(mnist / "train-images-idx3-ubyte", np.uint8, offset=16).reshape(-1, 784)
    digits = np.fromfile(mnist / "train-labels-idx1-ubyte", np.uint8, offset=8)
    yield "mnist", pixels[:600].astype(np.float64), digits[:600].astype(int)
    small = load_digits()
    # Exactly representable noise: pixels are integers, and ties of distances would make ranks a matter of rounding.
    noise = rng.integers(-(2**12), 2**12, small.data.shape) / 2.0**14
    yield "digits", (small.data + noise)[:1000], small.target[:1000]
    # Three clouds of different sizes and spreads at a distance of 1000, in numbers that f32 holds.
    sizes, centres = (200, 150, 50), rng.normal(size=(3, 20)) * 0.8
    clouds = [c + rng.normal(size=(n, 20)) * s for c, n, s in zip(centres, sizes, (1.0, 0.7, 0.4))]
    x = np.float32(np.concatenate(clouds) + 1000.0).astype(np.float64)
    yield "clouds", x, np.repeat([-4, 0, 9], sizes)


def linear_cka(x, y):
    """Kornblith et al. 2019 with whole kernel matrices; HSIC_1 of Song et al. 2012, eq. 5."""
    n = len(x)
    x, y = x - x.mean(0), y - y.mean(0)
    k, l = x @ x.T, y @ y.T
    biased = (k * l).sum() / np.sqrt((k * k).sum() * (l * l).sum())

    def hsic(a, b):
        a, b = a.copy(), b.copy()
        np.fill_diagonal(a, 0)
        np.fill_diagonal(b, 0)
        middle = a.sum() * b.sum() / ((n - 1) * (n - 2))
        return ((a * b).sum() + middle - 2 / (n - 2) * (a.sum(0) * b.sum(0)).sum()) / (n * (n - 3))

    return biased, hsic(k, l) / np.sqrt(hsic(k, k) * hsic(l, l))


def soft_nearest_neighbor(square, y, t):
    """Frosst et al. 2019, eq. 1; rows that are alone in their class left out."""
    logits = -square / t
    np.fill_diagonal(logits, -np.inf)
    same = y[:, None] == y[None]
    counts = same.sum(1) > 1
    own = logsumexp(np.where(same, logits, -np.inf)[counts], axis=1)
    return float((logsumexp(logits[counts], axis=1) - own).mean())


def measure(x, y, second, weight, bias):
    classes = np.unique(y)
    c, n = len(classes), len(x)
    label = [str(v) for v in classes]
    members = [x[y == v] for v in classes]
    means = np.array([m.mean(0) for m in members])
    d = cdist(x, x)
    square = cdist(x, x, "sqeuclidean")
    centred = x - x.mean(0)
    out = {}

    def per_pair(value):
        return {f"{label[a]}_{label[b]}": value(a, b) for a in range(c) for b in range(a + 1, c)}

    def block(matrix, a, b):
        return matrix[np.ix_(y == classes[a], y == classes[b])]

    def within(matrix, a):
        m = block(matrix, a, a)
        return (m.sum() - np.trace(m)) / (len(m) * (len(m) - 1))

    out["gyration-radius"] = {l: np.sqrt(((m - m.mean(0)) ** 2).sum(1).mean()) for l, m in zip(label, members)}
    out["centroid-distance"] = per_pair(lambda a, b: np.linalg.norm(means[a] - means[b]))
    out["class-distance"] = per_pair(lambda a, b: block(d, a, b).mean())
    out["class-distance"].update({f"{label[a]}_{label[a]}": within(d, a) for a in range(c)})
    out["energy-distance"] = per_pair(
        lambda a, b: 2 * block(d, a, b).mean() - block(d, a, a).mean() - block(d, b, b).mean()
    )
    kernel = np.exp(-square / square.mean())
    out["mmd"] = per_pair(lambda a, b: within(kernel, a) + within(kernel, b) - 2 * block(kernel, a, b).mean())
    t = TEMPERATURE_IN_MEAN_SQUARES * square.mean()
    out["soft-nearest-neighbor-loss"] = soft_nearest_neighbor(square, y, t)
    scores = np.divide(0.5 * centred, x.std(0), out=np.zeros_like(x), where=x.std(0) > 0)
    z = cdist(scores, scores)
    inter = [block(z, a, b).mean() for a in range(c) for b in range(a + 1, c)]
    intra = [within(z, a) for a in range(c)]
    out["generalized-discrimination-value"] = (np.mean(intra) - np.mean(inter)) / np.sqrt(x.shape[1])
    silhouettes = silhouette_samples(x, y)
    out["silhouette"] = silhouettes.mean()
    out["calinski-harabasz"] = calinski_harabasz_score(x, y)
    out["davies-bouldin"] = davies_bouldin_score(x, y)
    # Kornblith et al. 2021, eq. 11, by cosines of all pairs.
    cosines = cosine_distances(x)
    np.fill_diagonal(cosines, 0.0)
    whole = np.array([[block(cosines, a, b).mean() for b in range(c)] for a in range(c)])
    out["class-separation"] = 1 - np.trace(whole) / c / whole.mean()
    counts = np.array([len(m) for m in members])
    between = (counts * ((means - x.mean(0)) ** 2).sum(1)).sum()
    inside = sum(((m - m.mean(0)) ** 2).sum() for m in members)
    out["fisher-ratio"] = between / inside
    # Papyan et al. 2020, as in the authors' notebook, and divided by C.
    m = means - means.mean(0)
    s_b = m.T @ m / c
    residual = x - means[np.searchsorted(classes, y)]
    s_w = residual.T @ residual / n
    out["nc1"] = np.trace(s_w @ np.linalg.pinv(s_b, rcond=1e-10, hermitian=True)) / c
    norms = np.linalg.norm(m, axis=1)
    cosine = m @ m.T / np.outer(norms, norms)
    off = ~np.eye(c, dtype=bool)
    out["nc2"] = {"norms": norms.std(ddof=1) / norms.mean(), "angles": np.abs(cosine[off] + 1 / (c - 1)).mean()}
    out["nc3"] = ((weight / np.linalg.norm(weight) - m / np.linalg.norm(m)) ** 2).sum()
    out["nc4"] = (np.argmax(x @ weight.T + bias, 1) != np.argmin(cdist(x, means), 1)).mean()
    variances = PCA(svd_solver="full").fit(x).explained_variance_
    out["participation-ratio"] = variances.sum() ** 2 / (variances**2).sum()
    share = np.cumsum(variances) / variances.sum()
    out["explained-variance-dimension"] = int(np.argmax(share >= 0.9)) + 1
    distance, index = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(centred).kneighbors()
    # scikit-learn expands squares; the order is checked against plain differences.
    exact = np.sort(d + np.diag(np.full(n, np.inf)), axis=1)[:, :K]
    assert np.allclose(distance, exact, rtol=1e-9)
    out["neighborhood-overlap"] = (y[index] == y[:, None]).mean()
    out["nearest-neighbor-error"] = (y[index[:, 0]] != y).mean()
    same = y[:, None] == y[None]
    own = np.where(same & ~np.eye(n, dtype=bool), d, np.inf).min(1)
    other = np.where(same, np.inf, d).min(1)
    out["nearest-neighbor-margin"] = ((other - own) / 2).mean()
    near = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(second).kneighbors()[1]
    out["data-overlap"] = np.mean([len(set(a) & set(b)) / K for a, b in zip(index.tolist(), near.tolist())])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out["two-nn-dimension"] = TwoNN().fit(x).dimension_
        out["maximum-likelihood-dimension"] = MLE().fit(x, precomputed_knn_arrays=(exact, index), n_neighbors=K).dimension_
    out["linear-cka"], out["linear-cka-unbiased"] = linear_cka(x, second)
    samples = {"silhouette": silhouettes.tolist(), "nearest": index[:, 0].tolist(), "margin": ((other - own) / 2).tolist()}

    # The widest gap by support vector machines: three pairs, since a solver's tolerance is dear.
    def gap(a, b):
        rows = np.concatenate([members[a], members[b]])
        scale = np.abs(rows - rows.mean(0)).max()
        sides = np.repeat([0, 1], [len(members[a]), len(members[b])])
        machine = SVC(kernel="linear", C=1e12, tol=1e-10, max_iter=2_000_000).fit((rows - rows.mean(0)) / scale, sides)
        separated = machine.score((rows - rows.mean(0)) / scale, sides) == 1.0
        return 2 * scale / np.linalg.norm(machine.coef_) if separated else 0.0

    pairs = [(0, 1), (0, 2), (1, 2)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out["linear-separability"] = {f"{label[a]}_{label[b]}": gap(a, b) for a, b in pairs}
    return {"temperature": t, "metrics": out, "samples": samples}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return value if isinstance(value, (list, int)) else float(value)


folder = pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
for name, x, y in data_sets(pathlib.Path(sys.argv[1])):
    rng = np.random.default_rng(7)
    # Another representation that shares something with the first, and a classifier that is right now and then.
    project = rng.normal(size=(x.shape[1], 12))
    second = np.tanh((x - x.mean(0)) @ project / (x.std() * np.sqrt(x.shape[1])))
    classes = np.unique(y)
    means = np.array([x[y == v].mean(0) for v in classes])
    weight = means - x.mean(0) + rng.normal(size=means.shape) * (means.std() * 0.2)
    bias = -0.5 * (weight * (means + x.mean(0))).sum(1)
    found = measure(x, y, second, weight, bias)
    np.savez(folder / f"{name}.npz", x=x, y=y)
    np.save(folder / f"{name}-second.npy", second)
    np.savez(folder / f"{name}-weights.npz", **{"2.weight": weight, "2.bias": bias})
    (folder / f"{name}.json").write_text(json.dumps(plain(found)))
    print(f"metrics.py: {name}, {x.shape[0]} rows of {x.shape[1]}, {len(classes)} classes")
