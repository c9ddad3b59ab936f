"""Mini-batch steps in PyTorch: torch_steps.py WAY CASE BATCH THREADS.

| way | what it is |
|---|---|
| eager | tensors and `autograd.grad`, one fused update of all parameters: no module, no optimiser object |
| module | `nn.Sequential`, `CrossEntropyLoss`, `optim.SGD`: as most people write it |
| compile | the step as a function through `torch.compile` |
"""

import sys

import torch
from torch.func import grad_and_value
from torch.nn.functional import cross_entropy

import work

way, path, batch, threads = sys.argv[1:]
batch = int(batch)
torch.set_num_threads(int(threads))
case = {name: torch.tensor(array) for name, array in work.read_safetensors(path).items()}
x, labels = case.pop("x"), case.pop("labels").squeeze(1).long()
batches = [(x[i : i + batch], labels[i : i + batch]) for i in range(0, len(x), batch)]
given = list(case.values())
torch._dynamo.config.error_on_recompile = True
number = 0


def forward(parameters, x):
    layers = len(parameters) // 2
    for layer in range(layers):
        x = torch.addmm(parameters[2 * layer + 1], x, parameters[2 * layer].T)
        if layer + 1 < layers:
            x = torch.tanh(x)
    return x


def eager():
    parameters = [value.requires_grad_() for value in given]

    def step(x, y):
        loss = cross_entropy(forward(parameters, x), y)
        gradients = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            torch._foreach_add_(parameters, gradients, alpha=-work.RATE)

    return step, lambda: parameters


def module():
    layers = []
    for layer in range(len(given) // 2):
        weight, bias = given[2 * layer : 2 * layer + 2]
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
        linear.load_state_dict({"weight": weight, "bias": bias})
        layers += [linear, torch.nn.Tanh()]
    net = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(net.parameters(), lr=work.RATE, foreach=True)
    loss_of = torch.nn.CrossEntropyLoss()

    def step(x, y):
        optimizer.zero_grad(set_to_none=True)
        loss_of(net(x), y).backward()
        optimizer.step()

    return step, lambda: list(net.parameters())


def compiled():
    parameters = tuple(given)

    @torch.compile(fullgraph=True)
    def function(parameters, x, y):
        gradients, _ = grad_and_value(lambda p: cross_entropy(forward(p, x), y))(parameters)
        return tuple(p - work.RATE * g for p, g in zip(parameters, gradients, strict=True))

    def step(x, y):
        nonlocal parameters
        parameters = function(parameters, x, y)

    return step, lambda: parameters


step, parameters = {"eager": eager, "module": module, "compile": compiled}[way]()


def one():
    global number
    step(*batches[number % len(batches)])
    number += 1


def state():
    with torch.no_grad():
        return [cross_entropy(forward(parameters(), x), labels).item()]


work.serve(one, lambda measured: None, state)
