"""Mutation testing of autograd, nn, geometry, the reductions over pairs and data: a fixed draw of what `cargo mutants` lists.

    pip install tree-sitter==0.26.1 tree-sitter-rust==0.24.2
    cargo install --locked --version 27.1.0 cargo-mutants
    python3 repro/mutants.py                        # everything; stopped, it goes on where it was; repro/mutants.md has the result
    python3 repro/mutants.py --patience 3           # the quick tests first; the next run goes on with the survivors
    python3 repro/mutants.py --match eigen.rs:66    # instead of the draw all whose names have this (or one of several, with commas)

One build per mutant would take days, so the mutants are woven into a copy of the sources: each is behind a switch,
`if crate::mutant::on(N) { mutated } else { original }`, one build has all of them and the variable MUTANT picks one. An operator keeps
its operands, whatever would bind tighter in the text; a function's body is left by an early `return`. A mutant that cannot be woven
(constants, what does not compile) is replaced by the next of the same draw.

Every test runs once by itself without a mutant, and records which switches it comes by. A mutant is given to the tests that
reach it, those of its own file first, then the shortest, until one fails. Limits are processor time: the machine may be busy. The copy,
its build and what is known so far are kept in target/mutants, or where MUTANTS_PLACE says; other sources begin anew.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import resource
import signal
import subprocess
import sys
import threading
import time

import tree_sitter
import tree_sitter_rust

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLACE = pathlib.Path(os.environ.get("MUTANTS_PLACE", ROOT / "target" / "mutants"))
COPIED = ["Cargo.toml", "Cargo.lock", "README.md", "src", "tests", "benches", "kernels", "examples", "docs", "proptest-regressions"]
MUTATED = ["src/autograd/**", "src/nn/**", "src/geometry/**", "src/data/**", "src/backend/**/pairwise/**", "src/backend/reference/pairwise.rs"]
SEED, DRAWN = 9, 300
# What can catch something of these rooms in seconds.
FEATURES = "data,verify"
TESTS = """data_files gradient_check graph_errors pairwise hostile reference_formulas same_bits segments no_allocation
    fuzz_parsers""".split()
# A test that takes longer is not asked. Seconds of processor time.
LONGEST = 30

SWITCH = """//! Which mutant is on: that of the variable MUTANT. The switches that are come by are appended to the file MUTANT_HITS.

use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

static STATES: [AtomicU8; 8192] = [const { AtomicU8::new(2) }; 8192];

#[inline(always)]
pub fn on(mutant: usize) -> bool {
    match STATES[mutant].load(Ordering::Relaxed) {
        2 => first(mutant),
        state => state == 1,
    }
}

#[cold]
#[inline(never)]
fn first(mutant: usize) -> bool {
    static CHOSEN: OnceLock<(usize, Option<std::fs::File>)> = OnceLock::new();
    let (chosen, hits) = CHOSEN.get_or_init(|| {
        let number = std::env::var("MUTANT").ok().and_then(|n| n.parse().ok());
        let hits = std::env::var_os("MUTANT_HITS").map(|path| std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap());
        (number.unwrap_or(usize::MAX), hits)
    });
    if let Some(mut file) = hits.as_ref() {
        // Eight bytes at once, in no order: several processes may write.
        let _ = file.write_all(&(mutant as u64).to_le_bytes());
    }
    STATES[mutant].store(u8::from(mutant == *chosen), Ordering::Relaxed);
    mutant == *chosen
}
"""


def copied():
    """The files of the copy, by their path in it."""
    files = {}
    for name in COPIED:
        top = ROOT / name
        for path in [top] if top.is_file() else sorted(p for p in top.rglob("*") if p.is_file()):
            if not {"target", "node_modules"} & set(path.relative_to(ROOT).parts):
                files[str(path.relative_to(ROOT))] = path.read_bytes()
    return files


def draw():
    """All mutants that `cargo mutants` lists, in the order in which they are drawn."""
    files = [part for pattern in MUTATED for part in ("-f", pattern)]
    listed = subprocess.run(["cargo", "mutants", "--list", "--json", *files], cwd=ROOT, check=True, capture_output=True, text=True)
    mutants = json.loads(listed.stdout)
    mutants.sort(key=lambda m: (m["file"], m["span"]["start"]["line"], m["span"]["start"]["column"], m["name"]))
    return random.Random(SEED).sample(mutants, len(mutants))


class Source:
    """A file, its tree, and where its lines begin."""

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_rust.language()))

    def __init__(self, name):
        self.text = (ROOT / name).read_bytes()
        self.tree = self.parser.parse(self.text)
        self.lines = [0] + [i + 1 for i, byte in enumerate(self.text) if byte == ord("\n")]

    def offset(self, place):
        """Byte of a line and column, which count characters from 1."""
        line = self.text[self.lines[place["line"] - 1] :].split(b"\n", 1)[0].decode()
        return self.lines[place["line"] - 1] + len(line[: place["column"] - 1].encode())

    def above(self, offset, kinds):
        """The innermost node of one of the kinds around a byte."""
        node = self.tree.root_node.descendant_for_byte_range(offset, offset + 1)
        while node is not None and node.type not in kinds:
            node = node.parent
        return node


class CannotWeave(Exception):
    """A mutant that has no switch."""


def edit(source, number, mutant):
    """What to weave: (start, end, pieces), where a piece of the mutated form is text or a range of the original; for an insertion
    start == end. The original stays in the other branch. A list of them."""
    start, end = source.offset(mutant["span"]["start"]), source.offset(mutant["span"]["end"])
    on, new = f"crate::mutant::on({number})".encode(), mutant["replacement"].encode()
    genre = mutant["genre"]
    function = source.above(start, ["function_item"])
    if function is not None and any(child.type == "function_modifiers" and b"const" in child.text.split() for child in function.children):
        raise CannotWeave("const fn")
    if genre == "FnValue":
        body = function.child_by_field_name("body") if function else None
        if body is None:
            raise CannotWeave("no body")
        if b"impl " in (function.child_by_field_name("return_type").text if function.child_by_field_name("return_type") else b""):
            raise CannotWeave("one type behind `impl`")
        at = body.start_byte + 1
        return [(at, at, [b" if " + on + b" { return " + new + b"; } "])]
    if genre == "BinaryOperator":
        node = source.above(start, ["binary_expression", "compound_assignment_expr"])
        operator = node.child_by_field_name("operator") if node else None
        if operator is None or (operator.start_byte, operator.end_byte) != (start, end):
            raise CannotWeave("not an expression of its own")
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if node.type == "compound_assignment_expr":
            pieces = [(left.start_byte, left.end_byte), b" " + new + b" ", (right.start_byte, right.end_byte)]
        else:
            pieces = [b"(", (left.start_byte, left.end_byte), b") " + new + b" (", (right.start_byte, right.end_byte), b")"]
        return [(node.start_byte, node.end_byte, pieces)]
    if genre == "UnaryOperator":
        node = source.above(start, ["unary_expression"])
        if node is None or node.start_byte != start:
            raise CannotWeave("not an expression of its own")
        return [(node.start_byte, node.end_byte, [(end, node.end_byte)])]
    if genre in ("MatchArm", "MatchArmGuard"):
        arm = source.above(start, ["match_arm"])
        pattern = arm.child_by_field_name("pattern") if arm else None
        if pattern is None or (genre == "MatchArm" and arm.start_byte != start):
            raise CannotWeave("not an arm")
        condition = pattern.child_by_field_name("condition")
        off = b"!" + on
        if condition is None:
            return [(pattern.end_byte, pattern.end_byte, [b" if " + off + b" "])]
        before = {b"true": on + b" || (", b"false": off + b" && ("}[new] if genre == "MatchArmGuard" else off + b" && ("
        return [(condition.start_byte, condition.start_byte, [before]), (condition.end_byte, condition.end_byte, [b")"])]
    if genre == "StructField":
        node = source.above(start, ["field_initializer"])
        base = next((child for child in node.parent.children if child.type == "base_field_initializer"), None) if node else None
        if base is None:
            raise CannotWeave("no base")
        field, value = node.child_by_field_name("field"), node.child_by_field_name("value")
        rest = base.named_children[-1]
        return [(value.start_byte, value.end_byte, [b"(", (rest.start_byte, rest.end_byte), b")." + field.text])]
    raise CannotWeave(f"unknown kind {genre}")


def weave(text, edits, low, high, base=0):
    """The text of a range with its switches, and of each the range that it has in the result, outer ones first."""
    out, ranges, at = bytearray(), [], low
    # Insertions before what begins at the same byte; of two that begin there the longer is outside.
    edits = sorted(edits, key=lambda e: (e[0], e[0] != e[1], -e[1]))
    while edits:
        start, end, pieces, number = edits.pop(0)
        out += text[at:start]
        begin = len(out)
        if start == end:
            out += pieces[0]
            at = start
        else:
            inner = [e for e in edits if e[0] >= start and e[1] <= end]
            edits = [e for e in edits if e not in inner]
            found = []
            out += b"(if crate::mutant::on(%d) { " % number
            for piece in pieces:
                if isinstance(piece, bytes):
                    out += piece
                else:
                    of_piece = [e for e in inner if e[0] >= piece[0] and e[1] <= piece[1]]
                    new, places = weave(text, of_piece, *piece, base + len(out))
                    found += places
                    out += new
            out += b" } else { "
            new, places = weave(text, inner, start, end, base + len(out))
            found += places
            out += new + b" })"
            at = end
        ranges.append((base + begin, base + len(out), number))
        if start != end:
            ranges += found
    return bytes(out + text[at:high]), ranges


def write_tree(chosen):
    """The copy with these mutants woven in (number -> mutant); where each is in it, by file."""
    tree = PLACE / "tree"
    wanted = {tree / name: content for name, content in copied().items()} | {tree / "src" / "mutant.rs": SWITCH.encode()}
    wanted[tree / "src" / "lib.rs"] += b"\n#[doc(hidden)]\n#[allow(missing_docs, clippy::all)]\npub mod mutant;\n"
    by_file, places = {}, {}
    for number, mutant in chosen.items():
        by_file.setdefault(mutant["file"], []).append(number)
    for name, numbers in by_file.items():
        source = Source(name)
        edits = [(*one, number) for number in numbers for one in edit(source, number, chosen[number])]
        wanted[tree / name], places[name] = weave(source.text, edits, 0, len(source.text))
    for path, content in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != content:
            path.write_bytes(content)
    for path in [p for p in tree.rglob("*") if p.is_file() and p not in wanted]:
        path.unlink()
    return places


def build(places):
    """Builds the tests. Returns the programs by name, or the mutants that do not compile."""
    targets = [part for test in TESTS for part in ("--test", test)]
    environment = dict(os.environ, CARGO_TARGET_DIR=str(PLACE / "build"), CARGO_INCREMENTAL="0", RUSTFLAGS="--cap-lints warn")
    cargo = ["cargo", "test", "--no-run", "--message-format=json", "--no-default-features", "--features", FEATURES, "--lib", *targets]
    built = subprocess.run(cargo, cwd=PLACE / "tree", env=environment, stdout=subprocess.PIPE, text=True)
    programs, bad = {}, set()
    for line in built.stdout.splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("reason") == "compiler-artifact" and message["profile"]["test"] and message.get("executable"):
            programs[message["target"]["name"]] = message["executable"]
        if message.get("reason") == "compiler-message" and message["message"]["level"] == "error":
            print(message["message"]["rendered"], file=sys.stderr)
            for span in message["message"]["spans"]:
                around = [p for p in places.get(span["file_name"], []) if p[0] < span["byte_end"] and span["byte_start"] < p[1]]
                inside = [p for p in around if p[0] <= span["byte_start"] and span["byte_end"] <= p[1]]
                bad.update([min(inside, key=lambda p: p[1] - p[0])[2]] if inside else [p[2] for p in around])
    if built.returncode and not bad:
        sys.exit("mutants.py: the build fails, and not at a switch")
    return programs, bad


def sample(order, state, save):
    """Weaves and builds until the wished number of mutants compiles; returns them, by their place in the draw, and the programs."""
    bad = state.setdefault("not woven", {})
    while True:
        chosen, sources = {}, {}
        for number, mutant in order:
            if len(chosen) == DRAWN:
                break
            if str(number) in bad:
                continue
            try:
                edit(sources.setdefault(mutant["file"], Source(mutant["file"])), number, mutant)
                chosen[number] = mutant
            except CannotWeave as error:
                bad[str(number)] = str(error)
        programs, broken = build(write_tree(chosen))
        if not broken:
            return chosen, programs
        print(f"{len(broken)} do not compile: {sorted(broken)}", flush=True)
        bad.update({str(number): "does not compile" for number in broken})
        save()


def of_group(group):
    """Ticks of processor time of a group of processes, and whether one of them is stopped."""
    ticks, stopped = 0, False
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
            stopped |= fields[0] == "T"
    return ticks, stopped


def run(test, limit, **variables):
    """Runs one test: 'passed', 'failed', 'endless', and its processor seconds."""
    program, name, isa = test
    environment = dict(os.environ, **variables)
    if isa:
        environment["DISENTANGLE_ISA"] = isa
    environment.setdefault("RUST_BACKTRACE", "0")

    def limits():
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 3))
        resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    process = subprocess.Popen(
        [program, "--exact", name, "--test-threads=1"], cwd=PLACE / "tree", env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, preexec_fn=limits,
    )
    idle, before, polls, endless = 0, -1, 0, False
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(min(0.2, 0.002 * (polls + 1)))
        polls += 1
        if polls % 10 == 0 and polls > 100:
            # About every two seconds. Threads that wait for each other for ever take no processor time.
            ticks, stopped = of_group(process.pid)
            idle = 0 if stopped or ticks > before else idle + 1
            before = ticks
            if idle >= 10:
                endless = True
                os.killpg(process.pid, signal.SIGKILL)
                idle = 0
    process.returncode = os.waitstatus_to_exitcode(status)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    seconds = usage.ru_utime + usage.ru_stime
    if endless or process.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return "endless", seconds
    return ("passed" if process.returncode == 0 else "failed"), seconds


def in_two(work, items):
    """Does the work on all items, two at a time."""
    items, lock = iter(items), threading.Lock()

    def worker():
        while True:
            with lock:
                item = next(items, None)
            if item is None:
                return
            work(item)

    threads = [threading.Thread(target=worker) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def reach(programs, state, save):
    """Runs every test once and notes what it reaches: state['tests'], key -> [seconds, switches] of the tests that pass."""
    tests = []
    for name, program in programs.items():
        listed = subprocess.run([program, "--list", "--format=terse"], cwd=PLACE / "tree", check=True, capture_output=True, text=True).stdout
        for line in listed.splitlines():
            if line.endswith(": test"):
                isas = ["", "portable", "avx2"] if name == "pairwise" or (name == "disentangle" and line.startswith("verify::")) else [""]
                tests += [(name, line.removesuffix(": test"), isa) for isa in isas]
    known, lock = state.setdefault("tests", {}), threading.Lock()
    (PLACE / "hits").mkdir(exist_ok=True)

    def one(item):
        number, test = item
        hits = PLACE / "hits" / str(number)
        hits.unlink(missing_ok=True)
        outcome, seconds = run((programs[test[0]], *test[1:]), LONGEST, MUTANT_HITS=str(hits))
        content = hits.read_bytes() if hits.exists() else b""
        hits.unlink(missing_ok=True)
        reached = sorted({int.from_bytes(content[i : i + 8], "little") for i in range(0, len(content), 8)})
        with lock:
            known["|".join(test)] = [outcome, round(seconds, 3), reached]
            if outcome != "passed":
                print(f"without a mutant: {outcome} {seconds:.1f} s {test}", flush=True)
            save()

    in_two(one, [(number, test) for number, test in enumerate(tests) if "|".join(test) not in known])


def tests_of(number, mutant, state):
    """The tests that reach a mutant: those of its own file first, then the shortest, and once more on narrower instruction sets."""
    module = mutant["file"].removeprefix("src/").removesuffix(".rs").removesuffix("/mod").replace("/", "::") + "::"
    found = []
    for key, (outcome, seconds, reached) in state["tests"].items():
        if outcome == "passed" and number in reached:
            program, name, isa = key.split("|")
            near = program == "disentangle" and name.startswith(module)
            found.append((isa != "", not near, seconds, key))
    return [(key, seconds) for *_, seconds, key in sorted(found)]


def try_mutants(chosen, programs, state, save, patience):
    """Gives each mutant its tests until one fails or they have taken `patience` seconds; a survivor goes on where it was left."""
    results, lock = state.setdefault("results", {}), threading.Lock()

    def one(number):
        tests = tests_of(number, chosen[number], state)
        result = {"name": chosen[number]["name"], "reached": len(tests), "tried": 0, "seconds": 0.0} | results.get(str(number), {})
        for key, usual in tests[result["tried"] :]:
            program, name, isa = key.split("|")
            if result["seconds"] + usual > patience:
                break
            outcome, seconds = run((programs[program], name, isa), 5 * usual + 5, MUTANT=str(number))
            result["tried"] += 1
            result["seconds"] = round(result["seconds"] + seconds, 3)
            if outcome != "passed":
                result |= {"killed": key, "how": outcome}
                break
        with lock:
            results[str(number)] = result
            save()
            fate = f"killed by {result['killed']}" if "killed" in result else "SURVIVED"
            print(f"{len(results)} {number} {fate} ({result['tried']} of {len(tests)} tests, {result['seconds']:.1f} s) {result['name']}", flush=True)

    def is_open(number):
        known = results.get(str(number))
        return known is None or ("killed" not in known and known["tried"] < known["reached"])

    in_two(one, [number for number in chosen if is_open(number)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--match", help="parts of names, with commas between them")
    parser.add_argument("--patience", type=float, default=200, help="processor seconds for the tests of a mutant; the rest can follow")
    arguments = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    place = PLACE / ("match.json" if arguments.match else "state.json")
    sources = hashlib.sha256(repr((copied(), arguments.match)).encode()).hexdigest()
    state = json.loads(place.read_text()) if place.exists() else {}
    if state.get("sources") != sources:
        state = {"sources": sources}

    def save():
        place.with_suffix(".new").write_text(json.dumps(state, indent=1))
        place.with_suffix(".new").rename(place)

    listed = draw()
    wanted = arguments.match.split(",") if arguments.match else [""]
    order = [(number, mutant) for number, mutant in enumerate(listed) if any(part in mutant["name"] for part in wanted)]
    chosen, programs = sample(order, state, save)
    reach(programs, state, save)
    try_mutants(chosen, programs, state, save, arguments.patience)
    killed = sum("killed" in result for result in state["results"].values())
    survived = len(state["results"]) - killed
    print(f"{len(listed)} listed, {len(chosen)} tried, {len(state['not woven'])} could not be woven, {killed} killed, {survived} survived")


if __name__ == "__main__":
    main()
