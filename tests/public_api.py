"""Writes the public items of the core (no features), a line each, from rustdoc's JSON on standard input.

    tests/public_api.sh            # compares with tests/public_api.txt
    tests/public_api.sh --write    # writes it
"""

import json
import sys

crate = json.load(sys.stdin)
index, paths = crate["index"], crate["paths"]


def generic_arguments(arguments):
    if not arguments:
        return ""
    if "parenthesized" in arguments:
        inside = arguments["parenthesized"]
        output = f" -> {type_of(inside['output'])}" if inside["output"] else ""
        return f"({', '.join(map(type_of, inside['inputs']))}){output}"
    inside = arguments["angle_bracketed"]
    said = []
    for argument in inside["args"]:
        kind, value = next(iter(argument.items())) if isinstance(argument, dict) else ("infer", "_")
        said.append({"lifetime": lambda v: v, "type": type_of, "const": lambda v: v["expr"]}.get(kind, lambda v: "_")(value))
    for constraint in inside["constraints"]:
        binding = constraint["binding"]
        said.append(f"{constraint['name']} = {type_of(binding['equality']['type'])}" if "equality" in binding else f"{constraint['name']}: {bounds(binding['constraint'])}")
    return f"<{', '.join(said)}>" if said else ""


def name_of(path):
    summary = paths.get(str(path["id"]))
    return "::".join(summary["path"]) if summary else path["path"]


def bounds(all_bounds):
    said = []
    for bound in all_bounds:
        if "trait_bound" in bound:
            trait = bound["trait_bound"]["trait"]
            said.append(("?" if bound["trait_bound"]["modifier"] == "maybe" else "") + name_of(trait) + generic_arguments(trait["args"]))
        elif "outlives" in bound:
            said.append(bound["outlives"])
        elif "use" in bound:
            said.append("use<..>")
    return " + ".join(said)


def type_of(kind):
    if kind == "infer":
        return "_"
    name, value = next(iter(kind.items()))
    if name == "resolved_path":
        return name_of(value) + generic_arguments(value["args"])
    if name in ("generic", "primitive"):
        return value
    if name == "tuple":
        return f"({', '.join(map(type_of, value))})"
    if name == "slice":
        return f"[{type_of(value)}]"
    if name == "array":
        return f"[{type_of(value['type'])}; {value['len']}]"
    if name == "borrowed_ref":
        lifetime = f"{value['lifetime']} " if value["lifetime"] else ""
        return f"&{lifetime}{'mut ' if value['is_mutable'] else ''}{type_of(value['type'])}"
    if name == "raw_pointer":
        return f"*{'mut' if value['is_mutable'] else 'const'} {type_of(value['type'])}"
    if name == "impl_trait":
        return f"impl {bounds(value)}"
    if name == "dyn_trait":
        said = [name_of(t["trait"]) + generic_arguments(t["trait"]["args"]) for t in value["traits"]]
        return "dyn " + " + ".join(said + ([value["lifetime"]] if value["lifetime"] else []))
    if name == "qualified_path":
        trait = f" as {name_of(value['trait'])}" if value["trait"] else ""
        return f"<{type_of(value['self_type'])}{trait}>::{value['name']}"
    if name == "function_pointer":
        signature = value["sig"]
        output = f" -> {type_of(signature['output'])}" if signature["output"] else ""
        return f"fn({', '.join(type_of(t) for _, t in signature['inputs'])}){output}"
    sys.exit(f"public_api.py: a type of kind {name}, which this script does not know")


def generics_of(generics):
    said = []
    for parameter in generics["params"]:
        kind, value = next(iter(parameter["kind"].items()))
        if kind == "type":
            if not value["is_synthetic"]:
                limits = bounds(value["bounds"])
                said.append(parameter["name"] + (f": {limits}" if limits else ""))
        elif kind == "const":
            said.append(f"const {parameter['name']}: {type_of(value['type'])}")
        else:
            said.append(parameter["name"])
    return f"<{', '.join(said)}>" if said else ""


def function(path, item):
    value = item["inner"]["function"]
    header, signature = value["header"], value["sig"]
    words = [word for word in ("const", "async", "unsafe") if header[f"is_{word}"]]
    inputs = ", ".join(f"{name}: {type_of(kind)}" for name, kind in signature["inputs"])
    output = f" -> {type_of(signature['output'])}" if signature["output"] else ""
    return " ".join(words + ["fn"]) + f" {path}{generics_of(value['generics'])}({inputs}){output}"


def walk(item, path, lines, seen):
    (kind, value), = item["inner"].items()
    name = f"{path}::{item['name']}" if path else item["name"]
    if kind == "module":
        lines.add(f"mod {name}")
        for inside in value["items"]:
            if str(inside) in index:
                walk(index[str(inside)], name, lines, seen)
    elif kind == "use":
        target = index.get(str(value["id"]))
        if target and not value["is_glob"]:
            walk(dict(target, name=value["name"]), path, lines, seen)
        elif target:
            for inside in target["inner"]["module"]["items"]:
                walk(index[str(inside)], path, lines, seen)
        else:
            lines.add(f"use {path}::{value['name']} = {value['source']}")
    elif kind == "function":
        lines.add(function(name, item))
    elif kind == "constant":
        lines.add(f"const {name}: {type_of(value['type'])}")
    elif kind == "static":
        lines.add(f"static {name}: {type_of(value['type'])}")
    elif kind == "type_alias":
        lines.add(f"type {name}{generics_of(value['generics'])} = {type_of(value['type'])}")
    elif kind in ("struct", "enum", "union"):
        lines.add(f"{kind} {name}{generics_of(value['generics'])}")
        if kind == "enum":
            for variant in value["variants"]:
                variant_of(index[str(variant)], name, lines)
        else:
            fields(value["kind"], name, lines)
        for block in value["impls"]:
            implementation(index[str(block)], name, lines)
    elif kind == "trait":
        lines.add(f"trait {name}{generics_of(value['generics'])}" + (f": {bounds(value['bounds'])}" if value["bounds"] else ""))
        for inside in value["items"]:
            walk(index[str(inside)], name, lines, seen)
    elif kind == "assoc_const":
        lines.add(f"const {name}: {type_of(value['type'])}")
    elif kind == "assoc_type":
        lines.add(f"type {name}" + (f": {bounds(value['bounds'])}" if value["bounds"] else ""))
    elif kind not in ("macro", "impl"):
        sys.exit(f"public_api.py: an item of kind {kind}, which this script does not know")


def fields(kind, name, lines):
    if not isinstance(kind, dict):
        return
    inside = kind.get("plain", {}).get("fields") or kind.get("struct", {}).get("fields") or kind.get("tuple") or []
    for place, field in enumerate(inside):
        if field is not None and str(field) in index:
            item = index[str(field)]
            lines.add(f"field {name}.{item['name'] or place}: {type_of(item['inner']['struct_field'])}")


def variant_of(item, name, lines):
    name = f"{name}::{item['name']}"
    lines.add(f"variant {name}")
    fields(item["inner"]["variant"]["kind"], name, lines)


def implementation(item, name, lines):
    value = item["inner"]["impl"]
    if value["is_synthetic"] or value["blanket_impl"]:
        return
    if value["trait"]:
        lines.add(f"impl {name_of(value['trait'])}{generic_arguments(value['trait']['args'])} for {name}")
        return
    for inside in value["items"]:
        inside = index[str(inside)]
        if inside["visibility"] == "public":
            walk(inside, name, lines, None)


lines = set()
walk(index[str(crate["root"])], "", lines, set())
print("\n".join(sorted(lines)))
