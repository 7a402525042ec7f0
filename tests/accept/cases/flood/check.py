"""Three million calls back to back: the total is exact whatever was kept."""


def check(run):
    (row,) = [r for r in run.rows("stats") if r["name"] == "tick"]
    expect(row["calls"], 3000000, "calls")
