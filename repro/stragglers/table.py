"""Means and standard deviations over networks that repro/stragglers/README.md has and no summary.json prints:
python3 repro/stragglers/table.py

Of `removal`, the ends of R_0, R_1 and D without stragglers, and the training error at their extrema without as many samples at random.
"""

import csv
import pathlib
import statistics

QUANTITIES = {"gyration_radius_0": "R_0", "gyration_radius_1": "R_1", "centroid_distance_0_1": "D"}


def told(values):
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.4f}{spread} ({len(values)})" if values else "none"


print("| data | quantity | end without stragglers | training error at the extremum, without as many at random |")
print("|---|---|---|---|")
for folder in sorted(pathlib.Path(__file__).parent.glob("removal-*")):
    with open(folder / "removal.csv") as file:
        rows = list(csv.DictReader(file))
    for quantity, symbol in QUANTITIES.items():
        own = [row for row in rows if row["quantity"] == quantity]
        ends = [float(row["final_value"]) for row in own if row["arm"] == "without_stragglers"]
        errors = [float(row["extremum_error"]) for row in own if row["arm"] == "without_random" and row["extremum_error"]]
        print(f"| {folder.name.removeprefix('removal-')} | {symbol} | {told(ends)} | {told(errors)} |")
