"""The table of repro/robustness.md out of robustness.csv beside this file: python3 repro/robustness/table.py

Training error at the first lasting extremum, mean and standard deviation over networks. What is expected is an independent replication
(NumPy, one or two networks each) where it has the point.
"""

import csv
import pathlib

QUANTITIES = ["gyration_radius_0", "gyration_radius_1", "centroid_distance_0_1"]
EXPECTED = {
    ("base", "base", "1"): ".0895 / .0954 / .0918",
    ("learning rate", "0.5", "1"): ".093 / .101 / .097",
    ("optimizer", "momentum 0.9, lr 0.01", "1"): ".094 / .106 / .100",
    ("optimizer", "Adam, lr 0.001", "1"): ".091 / .100 / .095",
    ("width", "5", "1"): ".086 / .092 / .088",
    ("width", "10", "1"): ".087 / .095 / .090",
    ("width", "100", "1"): ".090 / .095 / .092",
    ("activation", "relu", "1"): ".073 / .089 / .073",
    ("depth", "2 hidden layers", "1"): ".093 / .098 / .096",
    ("depth", "2 hidden layers", "2"): ".077-.082 / .082-.083 / .074-.076",
    ("depth", "3 hidden layers", "1"): ".093-.099 / .102-.105 / .097-.102",
    ("depth", "3 hidden layers", "2"): ".077-.079 / .089-.092 / .079-.080",
    ("depth", "3 hidden layers", "3"): "none",
    ("standardize", "global", "1"): ".132 / .135 / .121",
    ("standardize", "none", "1"): ".092 / .092 / .116",
    ("labels", "below:5", "1"): ".112 / .111 / .111",
    ("labels", "random", "1"): "none",
    ("block", "2", "1"): ".099 / .108 / .103",
    ("block", "4", "1"): ".091 / .094 / .093",
    ("random samples", "1024", "1"): ".026-.041 / .032-.056 / .029-.047",
    ("random samples", "2048", "1"): ".061 / .061 / .061",
    ("random samples", "4096", "1"): ".092 / .099 / .095",
    ("data set", "fashion-mnist", "1"): ".0345 / .034 / .0344",
}

places = {}
with open(pathlib.Path(__file__).parent / "robustness.csv") as file:
    for row in csv.DictReader(file):
        places.setdefault((row["axis"], row["point"], row["layer"]), {})[row["quantity"]] = row


def error(row):
    if not row["error_mean"]:
        return ""
    spread = f" ± {float(row['error_sd']):.4f}" if row["error_sd"] else ""
    return f"{float(row['error_mean']):.4f}{spread}"


print("| axis | point | R_0 | R_1 | D | networks that turn | expected | verdict |")
print("|---|---|---|---|---|---|---|---|")
for (axis, point, layer), rows in places.items():
    rows = [rows[quantity] for quantity in QUANTITIES]
    name = f"{point}, layer {layer}" if axis == "depth" else point
    turned = "/".join(row["turned"] for row in rows) + f" of {rows[0]['networks']}"
    verdicts = [row["verdict"] for row in rows]
    verdict = verdicts[0] if len(set(verdicts)) == 1 else ", ".join(verdicts)
    errors = " | ".join(map(error, rows))
    print(f"| {axis} | {name} | {errors} | {turned} | {EXPECTED.get((axis, point, layer), '')} | {verdict} |")
