"""Interleaved timing of programs that do the same work.

A contender is a process that answers lines: `run N` with the wall nanoseconds of N epochs, `state` with numbers that say
what it has computed so far. Only one works at a time: the others wait for a line. In each round every contender has one
turn, and ratios are taken within a round, so that slow changes of the machine's speed cancel. What other programs take of
the processors meanwhile is measured: a disturbed round is repeated, within reason.
"""

import os
import statistics
import subprocess
import time

THREADS = 2
TURN_SECONDS = 0.25
QUIET = 0.05  # a round is quiet if others took less than this share of the machine
SETTLE_SECONDS = 0.02  # thread pools of the one before may still spin


def environment():
    """The environment of every contender: the same number of threads for all, and no forced kernel choice."""
    env = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        env[name] = str(THREADS)
    env["XLA_FLAGS"] = f"--xla_cpu_multi_thread_eigen=true intra_op_parallelism_threads={THREADS}"
    return env


class Contender:
    """A process and its times per epoch."""

    def __init__(self, name, family, command):
        self.name, self.family = name, family
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())
        self.times = []
        self.epochs = 1

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.name}: ended with exit code {self.process.wait()}")
        return answer

    def run(self, epochs):
        """Seconds per epoch."""
        return int(self.ask(f"run {epochs}")) * 1e-9 / epochs

    def state(self):
        return [float(word) for word in self.ask("state").split()]

    def turn(self):
        time.sleep(SETTLE_SECONDS)
        if self.epochs > 1:
            self.run(1)  # brings its data back into the cache
        self.times.append(self.run(self.epochs))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def check(contenders, epochs, tolerance):
    """Every contender must compute the same numbers; also warms up, compiles, and fits the length of a turn."""
    states = {}
    for contender in contenders:
        contender.run(epochs)
        states[contender.name] = contender.state()
        seconds = min(contender.run(2) for _ in range(3))
        contender.epochs = max(2, round(TURN_SECONDS / seconds))
    first_name, first = next(iter(states.items()))
    for name, state in states.items():
        worst = max(abs(a - b) for a, b in zip(first, state, strict=True))
        if not worst <= tolerance:
            raise RuntimeError(f"{name} computes {state}, {first_name} {first}: they differ by more than {tolerance}")
    return states


def busy_seconds(processes):
    """CPU seconds of the whole machine so far, and of these processes."""
    tick = os.sysconf("SC_CLK_TCK")
    with open("/proc/stat") as file:
        user, nice, system, _idle, _wait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    own = 0
    for process in processes:
        with open(f"/proc/{process.pid}/stat") as file:
            own += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
    return (user + nice + system + irq + softirq + steal) / tick, own / tick


def contest(contenders, rounds, patience=4):
    """Runs rounds until `rounds` of them were quiet, at most `patience` times as many, and keeps the quietest.

    Each contender has one turn per round; the order is turned around every other round. Returns the share of the machine
    that other programs took in the rounds kept, per round.
    """
    processes = [contender.process for contender in contenders]
    shares = []
    while sum(share < QUIET for share in shares) < rounds and len(shares) < patience * rounds:
        (all_before, own_before), start = busy_seconds(processes), time.perf_counter()
        for contender in contenders if len(shares) % 2 == 0 else contenders[::-1]:
            contender.turn()
        (all_after, own_after), seconds = busy_seconds(processes), time.perf_counter() - start
        others = (all_after - all_before) - (own_after - own_before)
        shares.append(max(0.0, others) / (seconds * os.cpu_count()))
    kept = sorted(sorted(range(len(shares)), key=shares.__getitem__)[:rounds])
    for contender in contenders:
        contender.times = [contender.times[number] for number in kept]
    return [shares[number] for number in kept]


def ratio(peer, ours):
    """Median and quartiles of peer / ours, round by round."""
    ratios = [p / o for p, o in zip(peer.times, ours.times, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return middle, low, high


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            facts = dict(map(str.strip, line.split(":", 1)) for line in file.read().split("\n\n")[0].splitlines())
        return f"{facts['model name']} (family {facts['cpu family']}, model {facts['model']}), {os.cpu_count()} CPUs"
    except (OSError, KeyError):
        return f"unknown processor, {os.cpu_count()} CPUs"
