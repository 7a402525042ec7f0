"""800,000 calls back to back: the total is exact whatever was kept."""


def check(run):
    (row,) = [r for r in run.rows("stats") if r["name"] == "tick"]
    expect(row["calls"], 800000, "calls")
