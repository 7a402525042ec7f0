"""run.py compared output and status; each call was seen all the same. Once as
the planner decides, once with Z for all."""
import os
from collections import Counter


def prepare(case):
    shim = os.environ.get("NAMING_SHIM")
    if shim:
        case.env["HANDSPAN_TEST_SHIM"] = shim


def check(run):
    calls = Counter(s["name"] for s in run.spans())
    names = ("few many swapped real_ big pair by_value wide nothing method "
             "text").split()
    expect({n: calls[n] for n in names}, {n: 200 for n in names}, "calls")
