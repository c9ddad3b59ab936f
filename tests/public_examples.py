"""Fails unless every public function, method, type, trait and constant of the core is used by name in an example that runs:
in the documentation of itself, of the type it belongs to or of its module. Fields and variants belong to their type.
It reads rustdoc's JSON on standard input; `tests/public_api.sh` calls it, `cargo test --doc` runs the examples.
"""

import json
import re
import sys

crate = json.load(sys.stdin)
index = crate["index"]
JUDGED = {"function", "struct", "enum", "trait", "constant", "assoc_const"}
NOT_RUN = {"text", "ignore", "compile_fail", "no_run", "toml", "sh", "console"}


def examples(item):
    """The code of the examples in an item's documentation, and nothing else that it says."""
    found, inside, runs = [], False, False
    for line in (item["docs"] or "").splitlines():
        fence = line.strip()
        if fence.startswith("```"):
            inside, runs = not inside, not NOT_RUN & set(re.split(r"[ ,]+", fence[3:]))
        elif inside and runs:
            found.append(line)
    return "\n".join(found)


def called(owner, item):
    """The text that an example must have to use this item: a function is called, by its type if it takes no `self`."""
    name = re.escape(item["name"])
    if "function" not in item["inner"]:
        return rf"\b{name}\b"
    inputs = item["inner"]["function"]["sig"]["inputs"]
    if inputs and inputs[0][0] == "self":
        return rf"\.{name}\("
    if owner:
        return rf"\b{owner}::{name}\b"
    return rf"\b{name}\("


def walk(item, owner, around, lacking):
    (kind, value), = item["inner"].items()
    if kind == "use":  # what a private file has and its room shows
        shown = index.get(str(value["id"]))
        if shown and not value["is_glob"]:
            walk(shown, owner, around, lacking)
        return
    own = examples(item)
    if kind in JUDGED and not re.search(called(owner, item), "\n".join([own, *around])):
        span = item["span"]
        lacking.add((span["filename"], span["begin"][0], f"{kind} {owner + '::' if owner else ''}{item['name']}"))
    if kind == "module":
        inside, owner, around = value["items"], None, [own]
    elif kind in ("struct", "enum"):
        blocks = [index[str(block)]["inner"]["impl"] for block in value["impls"]]
        inside = [i for block in blocks if block["trait"] is None for i in block["items"]]
        owner, around = item["name"], [own, *around]
    elif kind == "trait":
        inside, owner, around = value["items"], item["name"], [own, *around]
    else:
        inside = []
    for identifier in inside:
        part = index.get(str(identifier))
        if part and part["visibility"] in ("public", "default"):
            walk(part, owner, around, lacking)


lacking = set()
walk(index[str(crate["root"])], None, [], lacking)
for file, line, what in sorted(lacking):
    print(f"{file}:{line}: {what} is in no example of its own, its type's or its module's documentation")
if lacking:
    sys.exit(f"public_examples.py: {len(lacking)} public items of the core are used by no example")
