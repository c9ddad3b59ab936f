"""Mini-batch steps in JAX, jit with donated parameters: jax_steps.py CASE BATCH THREADS. The threads are set by XLA_FLAGS."""

import sys

import jax
import jax.numpy as jnp

import work

path, batch, _ = sys.argv[1:]
batch = int(batch)
case = work.read_safetensors(path)
x, labels = jnp.asarray(case.pop("x")), jnp.asarray(case.pop("labels")[:, 0].astype(int))
batches = [(x[i : i + batch], labels[i : i + batch]) for i in range(0, len(x), batch)]
# JAX's layers are [in, out].
parameters = [jnp.asarray(value.T) for value in case.values()]
number = 0


def loss_of(parameters, x, y):
    layers = len(parameters) // 2
    for layer in range(layers):
        x = x @ parameters[2 * layer] + parameters[2 * layer + 1]
        if layer + 1 < layers:
            x = jnp.tanh(x)
    return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1).mean()


def descend(parameters, x, y):
    gradients = jax.grad(loss_of)(parameters, x, y)
    return jax.tree.map(lambda p, g: p - work.RATE * g, parameters, gradients)


step = jax.jit(descend, donate_argnums=0)


def one():
    global parameters, number
    parameters = step(parameters, *batches[number % len(batches)])
    number += 1
    return parameters


work.serve(one, jax.block_until_ready, lambda: [loss_of(parameters, x, labels)])
