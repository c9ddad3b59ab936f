"""The straggler epoch in PyTorch, in several ways: torch_epoch.py WAY DATA REPLICAS THREADS WEIGHTS [test].

With `test`, the ways vmap and wide measure the error on the test rows too.

| way | what it is |
|---|---|
| published | as the public notebook does it: a step, then two more forward passes for the radii and the error; a loop over replicas |
| fused | the step's own activations serve the radii and the error; a loop over replicas |
| vmap | `torch.func.vmap(grad_and_value)` over replicas, activations as auxiliary output, radii and error batched |
| wide | by hand: one product for the first layers of all replicas, batched products after it, hidden units before rows |
| X-compile | way X through `torch.compile` |
"""

import sys

import torch
from torch.func import grad_and_value, vmap
from torch.nn.functional import cross_entropy

import work

way, data, replicas, threads, path, *more = sys.argv[1:]
if more and way.partition("-")[0] not in ("vmap", "wide"):
    sys.exit(f"{way} {' '.join(more)}: only vmap and wide measure the error on the test rows")
replicas = int(replicas)
torch.set_num_threads(int(threads))
x, y = map(torch.from_numpy, work.samples(data))
initial = {name: torch.tensor(array) for name, array in work.read_safetensors(path).items()}
onehot = torch.nn.functional.one_hot(y, work.CLASSES).float()
share = (onehot / onehot.sum(0)).T.contiguous()  # [classes, rows]: 1/n_c on the members of class c
way, _, compiled = way.partition("-")
torch._dynamo.config.error_on_recompile = True  # a peer that compiles in every epoch is no peer


def maybe_compile(function):
    """With `fullgraph` a part that cannot be compiled is an error, not a silent fall back to eager."""
    return torch.compile(function, fullgraph=True) if compiled else function


def spread(hidden, outputs):
    """R_c from hidden rows [..., rows, units] and the error from outputs [..., rows, classes]."""
    unit = hidden / hidden.norm(dim=-1, keepdim=True)
    centroids = share @ unit
    radii = (1 - centroids.pow(2).sum(-1)).sqrt()
    return radii, (outputs.argmax(-1) != y).float().mean(-1)


def published():
    nets = []
    for r in range(replicas):
        net = torch.nn.Sequential(
            torch.nn.Linear(work.INPUTS, work.HIDDEN), torch.nn.Tanh(), torch.nn.Linear(work.HIDDEN, work.CLASSES)
        )
        net.load_state_dict({name: value[r] for name, value in initial.items()})
        nets.append((net, torch.optim.SGD(net.parameters(), lr=work.RATE)))
    loss_of = torch.nn.CrossEntropyLoss()

    def epoch():
        for net, optimizer in nets:
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(net(x), y)
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                hidden = net[1](net[0](x))
                hidden = hidden / hidden.norm(dim=1, keepdim=True)
                for c in (0, 1):
                    members = hidden[y == c]
                    (members - members.mean(0)).pow(2).sum(1).mean().sqrt().item()
                (net(x).argmax(1) != y).float().mean().item()
        # It has read every number itself.
        return None

    return epoch, lambda: {name: torch.stack([net.state_dict()[name] for net, _ in nets]) for name in initial}


def fused():
    if compiled:
        return fused_functional()
    sets = [[initial[name][r].clone().requires_grad_() for name in initial] for r in range(replicas)]

    def step(w1, b1, w2, b2):
        hidden = torch.tanh(torch.addmm(b1, x, w1.T))
        outputs = torch.addmm(b2, hidden, w2.T)
        loss = cross_entropy(outputs, y)
        gradients = torch.autograd.grad(loss, (w1, b1, w2, b2))
        with torch.no_grad():
            return gradients, loss.detach(), *spread(hidden.detach(), outputs.detach())

    return loop(sets, step)


def fused_functional():
    """The same for the compiler, which cannot trace autograd's own calls."""
    sets = [[initial[name][r].clone() for name in initial] for r in range(replicas)]

    def loss_of(parameters):
        w1, b1, w2, b2 = parameters
        hidden = torch.tanh(torch.addmm(b1, x, w1.T))
        outputs = torch.addmm(b2, hidden, w2.T)
        return cross_entropy(outputs, y), (hidden, outputs)

    def step(*parameters):
        gradients, (loss, (hidden, outputs)) = grad_and_value(loss_of, has_aux=True)(parameters)
        return gradients, loss, *spread(hidden, outputs)

    return loop(sets, maybe_compile(step))


def loop(sets, step):
    """An epoch of one step per set of parameters."""

    def epoch():
        results = []
        for parameters in sets:
            gradients, *measured = step(*parameters)
            with torch.no_grad():
                torch._foreach_add_(parameters, list(gradients), alpha=-work.RATE)
            results.append(measured)
        return [torch.stack(column) for column in zip(*results)]

    return epoch, lambda: {n: torch.stack([s[i].detach() for s in sets]) for i, n in enumerate(initial)}


test_x, test_y = map(torch.from_numpy, work.test_samples(data)) if more else (None, None)


def test_error(w1, b1, w2, b2):
    """Of every replica, if it is asked for: none or one result."""
    if test_x is None:
        return []
    z = torch.addmm(b1.view(-1, 1), w1.view(-1, work.INPUTS), test_x.T)
    hidden = torch.tanh(z.view(replicas, work.HIDDEN, -1))
    outputs = torch.baddbmm(b2.unsqueeze(-1), w2, hidden)
    return [(outputs.argmax(1) != test_y).float().mean(1)]


def vmapped():
    parameters = [value.clone() for value in initial.values()]

    def loss_of(parameters):
        w1, b1, w2, b2 = parameters
        hidden = torch.tanh(x @ w1.T + b1)
        outputs = hidden @ w2.T + b2
        return cross_entropy(outputs, y), (hidden, outputs)

    batched = vmap(grad_and_value(loss_of, has_aux=True))

    def step(*parameters):
        gradients, (loss, (hidden, outputs)) = batched(parameters)
        return gradients, loss, *spread(hidden, outputs), *test_error(*parameters)

    step = maybe_compile(step)

    def epoch():
        gradients, *measured = step(*parameters)
        torch._foreach_add_(parameters, list(gradients), alpha=-work.RATE)
        return measured

    return epoch, lambda: dict(zip(initial, parameters))


def wide():
    parameters = [value.clone() for value in initial.values()]
    labels = y.expand(replicas, -1)
    share_columns = share.T.contiguous()

    def loss_of(parameters):
        w1, b1, w2, b2 = parameters
        z = torch.addmm(b1.view(-1, 1), w1.view(-1, work.INPUTS), x.T)
        hidden = torch.tanh(z.view(replicas, work.HIDDEN, work.ROWS))
        outputs = torch.baddbmm(b2.unsqueeze(-1), w2, hidden)  # [R, classes, rows]
        losses = cross_entropy(outputs, labels, reduction="none").mean(1)
        return losses.sum(), (losses, hidden, outputs)

    def step(*parameters):
        gradients, (_, (losses, hidden, outputs)) = grad_and_value(loss_of, has_aux=True)(parameters)
        unit = hidden / hidden.norm(dim=1, keepdim=True)
        radii = (1 - (unit @ share_columns).pow(2).sum(1)).sqrt()
        return gradients, losses, radii, (outputs.argmax(1) != y).float().mean(1), *test_error(*parameters)

    step = maybe_compile(step)

    def epoch():
        gradients, *measured = step(*parameters)
        torch._foreach_add_(parameters, list(gradients), alpha=-work.RATE)
        return measured

    return epoch, lambda: dict(zip(initial, parameters))


epoch, weights_now = {"published": published, "fused": fused, "vmap": vmapped, "wide": wide}[way]()


@torch.no_grad()
def state():
    """Mean loss, error, R_0, R_1 by the definition, in f64."""
    w1, b1, w2, b2 = (weights_now()[name].double() for name in ("0.weight", "0.bias", "2.weight", "2.bias"))
    totals = torch.zeros(4, dtype=torch.float64)
    for r in range(replicas):
        hidden = torch.tanh(x.double() @ w1[r].T + b1[r])
        outputs = hidden @ w2[r].T + b2[r]
        unit = hidden / hidden.norm(dim=1, keepdim=True)
        radii = [(unit[y == c] - unit[y == c].mean(0)).pow(2).sum(1).mean().sqrt() for c in range(work.CLASSES)]
        error = (outputs.argmax(1) != y).double().mean()
        totals += torch.stack([cross_entropy(outputs, y), error, *radii])
    return (totals / replicas).tolist()


def finish(measured):
    """Brings the measurement to Python, as a training loop that records it must."""
    if measured is not None:
        for value in measured:
            value.tolist()


work.serve(epoch, finish, state)
