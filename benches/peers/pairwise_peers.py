"""The peers of pairwise.py: pairwise_peers.py WAY FOLDER THREADS, with x.npy (f32) and y.npy in the folder.

Each way is the fastest that we know of to write the work with its library; a faster one replaces it. A pair of a point with
itself is left out, as in disentangle: neighbours are asked for with one more, and exponentials are masked on the diagonal.
"""

import sys
from pathlib import Path

import numpy as np

import work

CLASSES, TEMPERATURE = 10, 50.0


def torch_way(name, x, y, threads):
    import torch

    torch.set_num_threads(threads)
    x, y = torch.from_numpy(x), torch.from_numpy(y)
    onehot = torch.nn.functional.one_hot(y, CLASSES).float()
    same = y[:, None] == y[None, :]
    itself = torch.eye(len(x), dtype=torch.bool)

    def class_sums():
        sums = onehot.T @ torch.cdist(x, x) @ onehot
        return [float(sums.sum()) / len(x) ** 2, float(sums[0, 1] / (onehot[:, 0].sum() * onehot[:, 1].sum()))]

    def loss(points, squares):
        logits = (squares / -TEMPERATURE).masked_fill(itself, -torch.inf)
        return (torch.logsumexp(logits, 1) - torch.logsumexp(logits.masked_fill(~same, -torch.inf), 1)).mean()

    def forward():
        return [float(loss(x, torch.cdist(x, x) ** 2))]

    def gradient():
        points = x.clone().requires_grad_(True)
        norms = (points * points).sum(1)
        value = loss(points, norms[:, None] + norms[None, :] - 2 * points @ points.T)
        value.backward()
        return [float(value), 100 * float(points.grad.norm())]

    return {"class-sums": class_sums, "snn": forward, "snn-gradient": gradient}[name]


def jax_way(name, x, y, _threads):
    import jax
    import jax.numpy as jnp

    n = len(x)
    x, y = jnp.asarray(x), jnp.asarray(y)
    onehot = jax.nn.one_hot(y, CLASSES)
    same = y[:, None] == y[None, :]

    def squares(x):
        norms = (x * x).sum(1)
        return norms[:, None] + norms[None] - 2 * x @ x.T

    def loss(x):
        logits = jnp.where(jnp.eye(n, dtype=bool), -jnp.inf, squares(x) / -TEMPERATURE)
        own = jax.nn.logsumexp(jnp.where(same, logits, -jnp.inf), 1)
        return (jax.nn.logsumexp(logits, 1) - own).mean()

    sums = jax.jit(lambda x: onehot.T @ jnp.sqrt(jnp.maximum(squares(x), 0)) @ onehot)
    forward, gradient = jax.jit(loss), jax.jit(jax.value_and_grad(loss))

    def class_sums():
        result = np.asarray(sums(x))
        counts = np.asarray(onehot.sum(0))
        return [result.sum() / n**2, result[0, 1] / (counts[0] * counts[1])]

    def by_gradient():
        value, slopes = jax.block_until_ready(gradient(x))
        return [float(value), 100 * float(np.linalg.norm(slopes))]

    return {"class-sums": class_sums, "snn": lambda: [float(forward(x))], "snn-gradient": by_gradient}[name]


def keops_way(_name, x, _y, threads):
    import pykeops
    import torch
    from pykeops.torch import LazyTensor

    pykeops.set_verbose(False)
    torch.set_num_threads(threads)
    x = torch.from_numpy(x)
    rows, columns = LazyTensor(x[:, None, :].contiguous()), LazyTensor(x[None, :, :].contiguous())

    def log_sums():
        # The pair of a point with itself is in KeOps' sum; it is 1 exactly.
        sums = (-((rows - columns) ** 2).sum(-1) / TEMPERATURE).logsumexp(1)
        return [float(torch.log(torch.expm1(sums.double())).mean())]

    return log_sums


def faiss_way(name, x, _y, threads):
    import faiss

    faiss.omp_set_num_threads(threads)
    k = int(name.removeprefix("nearest-"))
    index = faiss.IndexFlatL2(x.shape[1])
    index.add(x)

    def nearest():
        squares, _ = index.search(x, k + 1)
        return [float(np.sqrt(np.maximum(squares[:, 1:], 0)).mean())]

    return nearest


def sklearn_way(name, x, y, threads):
    if name == "silhouette":
        from sklearn.metrics import silhouette_score

        return lambda: [float(silhouette_score(x, y))]
    from sklearn.neighbors import NearestNeighbors

    k = int(name.removeprefix("nearest-"))
    searcher = NearestNeighbors(n_neighbors=k + 1, algorithm="brute", n_jobs=threads).fit(x)
    return lambda: [float(searcher.kneighbors(x)[0][:, 1:].mean())]


WAYS = {"torch": torch_way, "jax": jax_way, "keops": keops_way, "faiss": faiss_way, "sklearn": sklearn_way}


def main():
    way, folder, threads = sys.argv[1:]
    library, _, name = way.partition("-")
    x, y = np.load(Path(folder) / "x.npy"), np.load(Path(folder) / "y.npy").astype(np.int64)
    # KeOps tells on import which libraries it did not find.
    answers = work.answers_alone()
    run = WAYS[library](name, x, y, int(threads))
    work.serve(run, lambda result: result, run, answers)


if __name__ == "__main__":
    main()
