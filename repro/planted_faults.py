"""Plants the faults of planted_faults.toml one at a time in a copy of the sources and runs the test that must catch each.

    python3 repro/planted_faults.py               # all of them, and writes planted_faults.md
    python3 repro/planted_faults.py --sample      # a fixed three, in kernels of CUDA, which are compiled in seconds; writes nothing
    python3 repro/planted_faults.py --match avx2  # those whose name has these words; writes nothing

Exit code 1 if a fault is not caught, or if a test fails without one. Only the standard library is needed. The copy and its build are
kept in target/faults: a fault on the CPU costs an incremental build of the library's tests; one of CUDA the kernels that have it, compiled
for the stand-in (tests/stand_in.sh), on which the command's `verify` must find it: `cargo build --features cuda` comes before, or
DISENTANGLE names a program.
"""

import argparse
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLACE = ROOT / "target" / "faults"
COPIED = ["Cargo.toml", "Cargo.lock", "README.md", "src", "tests", "benches", "kernels", "examples", "proptest-regressions"]
SAMPLE = [
    "cuda gather: rows are those of the next index",
    "cuda norms: a row ends eight columns early",
    "cuda adam: the second moment is of the gradient before",
]
PROGRAM = os.environ.get("DISENTANGLE", str(ROOT / "target" / "debug" / "disentangle"))
# A faulty kernel may also never end.
LIMIT = 300


def copy_tree(tree):
    """Brings the copy up to date; files that did not change keep their time, so that nothing is built twice."""
    tree.mkdir(parents=True, exist_ok=True)
    wanted = set()
    for name in COPIED:
        top = ROOT / name
        for path in [top] if top.is_file() else [p for p in top.rglob("*") if p.is_file() and "target" not in p.parts[len(ROOT.parts):]]:
            to = tree / path.relative_to(ROOT)
            wanted.add(to)
            to.parent.mkdir(parents=True, exist_ok=True)
            if not to.is_file() or to.read_bytes() != path.read_bytes():
                shutil.copyfile(path, to)
    for path in list(tree.rglob("*")):
        if path.is_file() and path not in wanted:
            path.unlink()


def kernels_with(file, kernels):
    """The kernels' sources, without their ending, that include a file of theirs or are it."""
    name = pathlib.Path(file).name
    if name.endswith(".cu"):
        return {name.removesuffix(".cu")}
    includes = [path.name for path in kernels.iterdir() if path.suffix in (".cu", ".cuh") and f'#include "{name}"' in path.read_text()]
    return set().union(*(kernels_with(include, kernels) for include in includes))


def run_on_stand_in(tree, ops, fault):
    """As run_test, for `verify --ops` on the stand-in, with the kernels of the tree that the fault is in, or without a fault."""
    changed = kernels_with(fault["file"], tree / "kernels") if fault else set()
    build = ROOT / "target" / "faults" / "stand_in" if fault else ROOT / "target" / "stand_in"
    environment = dict(os.environ, LD_LIBRARY_PATH=str(build / "fast"))
    if fault:
        environment |= {"KERNELS": str(tree / "kernels"), "STAND_IN_OUT": str(build), "CHANGED": " ".join(changed)}
    built = subprocess.run([ROOT / "tests" / "stand_in.sh", "fast"], env=environment, capture_output=True, text=True)
    if built.returncode:
        print(built.stderr, file=sys.stderr)
        return "does not build", 0.0
    start = time.monotonic()
    verify = [PROGRAM, "verify", "--device", "cuda", "--ops", ops, "--trials", "24"]
    try:
        ran = subprocess.run(verify, env=environment, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return "endless", float(LIMIT)
    seconds = time.monotonic() - start
    said = re.search(r"verify: (\d+) of (\d+) cases within their bound", ran.stdout)
    if ran.returncode == 0 and said and said[1] == said[2]:
        return "passed", seconds
    if not fault:
        print(ran.stdout, ran.stderr, file=sys.stderr)
    return ("failed" if said else "died"), seconds


def run_test(tree, test, isa, fault=None):
    """Builds and runs one test: 'passed', 'failed', 'died', 'endless' or 'does not build', and its seconds without the build."""
    if isa == "cuda":
        return run_on_stand_in(tree, test, fault)
    kind, _, name = test.rpartition(":") if test.startswith("pairwise:") else ("", "", test)
    target = ["--test", "pairwise"] if kind else ["--lib"]
    environment = dict(os.environ, CARGO_TARGET_DIR=str(PLACE / "build"), CARGO_INCREMENTAL="1", DISENTANGLE_ISA=isa)
    cargo = ["cargo", "test", "--quiet", "--no-default-features", "--features", "verify", *target]
    built = subprocess.run([*cargo, "--no-run"], cwd=tree, env=environment, capture_output=True, text=True)
    if built.returncode:
        print(built.stderr, file=sys.stderr)
        return "does not build", 0.0
    start = time.monotonic()
    # `pairwise` has its tests in modules; the library's are named in full.
    exact = [] if kind else ["--exact"]
    try:
        ran = subprocess.run([*cargo, "--", *exact, name], cwd=tree, env=environment, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return "endless", float(LIMIT)
    seconds = time.monotonic() - start
    if "running 1 test" not in ran.stdout:
        sys.exit(f"planted_faults.py: {test}: it is not one test:\n{ran.stdout}{ran.stderr}")
    if ran.returncode == 0:
        return "passed", seconds
    return ("failed" if re.search(r"test result: FAILED", ran.stdout) else "died"), seconds


def passes(tree, test, isa):
    """A test passes without a fault, or this is the end."""
    result, seconds = run_test(tree, test, isa)
    print(f"{result:>10} {seconds:6.1f} s  without a fault: {test} on {isa}", flush=True)
    if result != "passed":
        sys.exit("planted_faults.py: a test that must catch faults does not pass without one")


def cuda_faults():
    """The kernels that are broken on purpose, and what catches each, from the test of the stand-in."""
    text = (ROOT / "tests" / "stand_in_test.sh").read_text()
    found = collections.OrderedDict()
    for kind, says, name in re.findall(r'^(?:expect (\w+)|dies) "([^"]*)" (\w+)', text, re.M):
        if name != "good":
            found.setdefault(name, []).append(f"{kind or 'address'}: {says}".replace("\\|", " or "))
    return found


def write_table(faults, results, commit):
    caught = sum(result in ("failed", "died", "endless") for result, _ in results.values())
    not_run = "" if len(results) == len(faults) else f" {len(faults) - len(results)} were not run."
    cuda = cuda_faults()
    lines = [
        "# Faults planted in kernels",
        "",
        "    python3 repro/planted_faults.py        # listed in planted_faults.toml: old text, new text, instruction set or CUDA, test",
        "    tests/stand_in_test.sh                 # kernels/stand_in/broken: classes of faults that no wrong number shows",
        "",
        f"Commit {commit}. Each test passes without the fault, on the same instruction set. {caught} of {len(faults)} faults are caught by the",
        f"test that is named; for CUDA it is `disentangle verify --device cuda --ops TEST --trials 24` on the stand-in for the driver.{not_run}",
        f"All {len(cuda)} kernels that are broken on purpose are caught by the stand-in itself.",
        "*caught* means that the test failed; *died*, that its process did; the seconds are the test's own.",
        "",
        "| fault | kind | file | instruction set | test | result | s |",
        "|---|---|---|---|---|---|---|",
    ]
    told = {"failed": "caught", "died": "caught (died)", "endless": "caught (endless)", "passed": "NOT CAUGHT"}
    for fault in faults:
        result, seconds = results.get(fault["name"], ("not run", 0.0))
        test = fault["test"].rsplit(":", 1)[-1]
        file = fault["file"].removeprefix("src/backend/")
        lines.append(
            f"| {fault['name']} | {fault['kind']} | `{file}` | {fault['isa']} | `{test}` | {told.get(result, result)} | {seconds:.1f} |"
        )
    lines += ["", "Broken on purpose, each run in five orders of threads:", "", "| kernel | what the stand-in says |", "|---|---|"]
    lines += [f"| `{name}` | {'; '.join(says)} |" for name, says in cuda.items()]
    (ROOT / "repro" / "planted_faults.md").write_text("\n".join(lines) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", action="store_true")
    parser.add_argument("--match")
    arguments = parser.parse_args()
    faults = tomllib.loads((ROOT / "repro" / "planted_faults.toml").read_text())["fault"]
    # All of them, also when few are run: sources move on, and a fault must not be left behind.
    for fault in faults:
        found = (ROOT / fault["file"]).read_text().count(fault["old"])
        if found != 1:
            sys.exit(f"planted_faults.py: {fault['name']}: the old text is {found} times in {fault['file']}, expected once")
    whole = not (arguments.sample or arguments.match)
    if arguments.sample:
        faults = [fault for fault in faults if fault["name"] in SAMPLE]
    if arguments.match:
        faults = [fault for fault in faults if arguments.match in fault["name"]]
    tree = PLACE / "tree"
    copy_tree(tree)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    present = {"avx512": "avx512f" in flags, "avx2": "avx2" in flags, "portable": True, "cuda": True}
    faults = [fault for fault in faults if present[fault["isa"]] or print(f"no {fault['isa']} here: {fault['name']}")]
    # Test by test: before its faults it passes, so that nothing of those before has stayed behind; the first passes at the end too.
    order = list(dict.fromkeys((fault["test"], fault["isa"]) for fault in faults))
    failed, results = 0, {}
    for test, isa in order:
        passes(tree, test, isa)
        for fault in faults:
            if (fault["test"], fault["isa"]) != (test, isa):
                continue
            place = tree / fault["file"]
            right = place.read_text()
            place.write_text(right.replace(fault["old"], fault["new"]))
            start = time.monotonic()
            try:
                result, seconds = run_test(tree, test, isa, fault)
            finally:
                place.write_text(right)
            results[fault["name"]] = (result, seconds)
            caught = result in ("failed", "died", "endless")
            failed += not caught
            print(f"{result:>10} {time.monotonic() - start:6.1f} s  {fault['name']} ({isa})", flush=True)
            if whole:
                write_table(faults, results, commit)
    passes(tree, *order[0])
    print(f"{len(faults) - failed} of {len(faults)} planted faults caught")
    sys.exit(failed > 0)


main()
