"""The straggler epoch in JAX, jit with vmap over replicas: jax_epoch.py WAY DATA REPLICAS THREADS WEIGHTS.

One fused pass, the best JAX allows: the step's own activations serve the radii and the error. WAY is `vmap`, or `wide` for
one product of the first layers of all replicas, written by hand. The threads are set by XLA_FLAGS.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import work

way, data, replicas, _, path = sys.argv[1:]
replicas = int(replicas)
samples, labels = work.samples(data)
x, y = jnp.asarray(samples), jnp.asarray(labels)
onehot = jax.nn.one_hot(y, work.CLASSES)
initial = work.read_safetensors(path)
NAMES = ("0.weight", "0.bias", "2.weight", "2.bias")


def measure(hidden, outputs):
    unit = hidden / jnp.linalg.norm(hidden, axis=-1, keepdims=True)
    centroids = jnp.einsum("nc,...nh->...ch", onehot, unit) / onehot.sum(0)[:, None]
    radii = jnp.sqrt(1 - (centroids**2).sum(-1))
    return radii, (outputs.argmax(-1) != y).mean(-1)


def loss_of(outputs):
    return -(jax.nn.log_softmax(outputs) * onehot).sum(-1).mean(-1)


def one(parameters):
    def objective(parameters):
        w1, b1, w2, b2 = parameters
        hidden = jnp.tanh(x @ w1 + b1)
        outputs = hidden @ w2 + b2
        loss = loss_of(outputs)
        return loss, (loss, *measure(hidden, outputs))

    gradients, measured = jax.grad(objective, has_aux=True)(parameters)
    return jax.tree.map(lambda p, g: p - work.RATE * g, parameters, gradients), measured


def all_wide(parameters):
    def objective(parameters):
        w1, b1, w2, b2 = parameters
        hidden = jnp.tanh(jnp.einsum("nk,rkh->nrh", x, w1) + b1).transpose(1, 0, 2)
        outputs = hidden @ w2 + b2[:, None, :]
        loss = loss_of(outputs)
        return loss.sum(), (loss, *measure(hidden, outputs))

    gradients, measured = jax.grad(objective, has_aux=True)(parameters)
    return jax.tree.map(lambda p, g: p - work.RATE * g, parameters, gradients), measured


# JAX's layers are [in, out].
parameters = tuple(jnp.asarray(v.swapaxes(1, 2) if v.ndim == 3 else v) for v in (initial[n] for n in NAMES))
if way == "wide":
    step = jax.jit(all_wide, donate_argnums=0)
elif replicas == 1:
    step, parameters = jax.jit(one, donate_argnums=0), tuple(p[0] for p in parameters)
else:
    step = jax.jit(jax.vmap(one), donate_argnums=0)


def epoch():
    global parameters
    parameters, measured = step(parameters)
    return measured


def finish(measured):
    for value in jax.block_until_ready(measured):
        np.asarray(value)


def state():
    """Mean loss, error, R_0, R_1 by the definition, in f64 with NumPy."""
    own = [np.asarray(p, np.float64) for p in parameters]
    own = [p[None] for p in own] if replicas == 1 and way != "wide" else own
    total = np.zeros(4)
    for w1, b1, w2, b2 in zip(*own):
        hidden = np.tanh(samples.astype(np.float64) @ w1 + b1)
        outputs = hidden @ w2 + b2
        top = outputs.max(1, keepdims=True)
        log_sum = np.log(np.exp(outputs - top).sum(1)) + top[:, 0]
        loss = (log_sum - outputs[np.arange(work.ROWS), labels]).mean()
        unit = hidden / np.linalg.norm(hidden, axis=1, keepdims=True)
        radii = [np.sqrt(unit[labels == c].var(0).sum()) for c in range(work.CLASSES)]
        total += [loss, (outputs.argmax(1) != labels).mean(), *radii]
    return total / replicas


work.serve(epoch, finish, state)
