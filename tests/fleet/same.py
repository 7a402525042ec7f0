# SPDX-License-Identifier: Apache-2.0
"""What Jaeger's API has against what the store has: each span once, equal in
name, parent, times to the nanosecond, state, kind, links, events, resource and
attributes, values among them. What a span must be there is computed here from
`handspan spans --json`, by docs/operations.md; nothing of the uploader's code
or SQL takes part."""
import json
import urllib.error
import urllib.request

# Not in `spans --json`: checked by themselves, in `check_rest`.
REST = {"code.file.path", "code.line.number", "handspan.error.group"}
EMPTY = ({}, None)
# Jaeger takes an end that is its start for a mistake: a nanosecond more, and a
# remark. So it does with calls of 0 ns and with what has no end.
REMARK = "@jaeger@warnings"


def get(base, path):
    """The answer of Jaeger's API; None: it has no such thing."""
    try:
        with urllib.request.urlopen(base + path, timeout=120) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as e:
        if e.code == 404:
            return None
        raise


def value_of(value):
    kind, content = next(iter(value.items()))
    return int(content) if kind == "intValue" else content


def dictionary(attributes):
    found = {a["key"]: value_of(a["value"]) for a in attributes}
    assert len(found) == len(attributes), f"a key twice: {attributes}"
    return found


def spans_there(base, trace_id):
    """[(span, its resource's attributes)] of the trace, raw."""
    answer = get(base, f"/api/v3/traces/{trace_id}?raw_traces=true")
    found = []
    for resource in (answer or {"result": {}})["result"].get("resourceSpans", []):
        about = dictionary(resource.get("resource", {}).get("attributes", []))
        found += [(span, about) for scope in resource["scopeSpans"]
                  for span in scope["spans"]]
    return found


# ---- what it must be ---------------------------------------------------------

def is_process(row):
    return "exit_code" in row["attributes"]


def without_nulls(**keys):
    return {k.replace("__", "."): v for k, v in keys.items() if v is not None}


def values_of(row):
    """The JSON of the store, as text there: compared as JSON."""
    return {f"handspan.{k}": row[k] for k in
            ("input", "output", "attributes", "capture", "error")
            if row[k] not in EMPTY}


def attributes_of(row):
    if is_process(row):
        more = row["attributes"]
        return without_nulls(
            handspan__status=row["status"], handspan__ended_by=row["ended_by"],
            process__exit__code=more["exit_code"], handspan__cpu_ns=row["cpu_ns"],
            handspan__signal=more["signal"], handspan__peak_bytes=more["peak_bytes"],
            handspan__loading_ns=more["loading_ns"],
            handspan__command=row["input"].get("command"))
    error = row["error"] or {}
    found = without_nulls(
        code__function__name=row["symbol"], thread__id=row["tid"],
        thread__name=row["thread_name"], handspan__orphan=row["orphan"],
        error__type=error.get("type") or error.get("kind"),
        handspan__error__rule=error.get("rule"),
        handspan__error__cause=(error.get("cause") or {}).get("call"),
        handspan__object=row["object"] and row["object"].rsplit("/", 1)[-1],
        handspan__status=row["status"], handspan__ended_by=row["ended_by"],
        handspan__self_ns=row["self_ns"], handspan__cpu_ns=row["cpu_ns"],
        handspan__queue_ns=row["queue_ns"])
    return {**found, **values_of(row)}


def frame(f):
    """A line of a stack, as debuggers write it."""
    if f.get("file"):
        where = f" ({f['file'].rsplit('/', 1)[-1]}:{f.get('line') or 0})"
    elif f.get("object"):
        offset = "+" + f["offset"] if f.get("offset") else ""
        where = f" ({f['object'].rsplit('/', 1)[-1]}{offset})"
    else:
        where = ""
    return f"    at {f.get('function') or '?'}{where}\n"


def exception(row):
    error = row["error"] or {}
    if is_process(row) or not error.get("kind"):
        return []
    kind = error.get("type") or error["kind"]
    message = error.get("message") or error.get("rule")
    frames = error.get("origin") or error.get("stack") or []
    head = kind + (f": {message}" if message else "") + "\n"
    return [("exception", row["start_unix_ns"] + (row["duration_ns"] or 0),
             without_nulls(
                 exception__type=kind, exception__message=message,
                 exception__stacktrace=head + "".join(map(frame, frames))
                 if frames else None))]


def overdue(row):
    late = row["overdue"]
    if not late:
        return []
    return [("overdue", late["at_unix_ns"],
             {"handspan.overdue.limit_ns": late["limit_ns"]})]


def message_of(row):
    error = row["error"] or {}
    return "" if is_process(row) else \
        error.get("message") or error.get("rule") or ""


def wanted(row, root):
    failed = row["status"] == "error"
    return {
        "name": row["name"], "parent": row["parent_span_id"] or "",
        "kind": 2 if row["name"] in root else 1,
        "start": row["start_unix_ns"],
        "end": row["start_unix_ns"] + (row["duration_ns"] or 0),
        "failed": failed, "message": message_of(row) if failed else "",
        "links": [(k["trace_id"], k["span_id"]) for k in row["links"]],
        "events": overdue(row) + exception(row),
        "attributes": attributes_of(row),
        "resource": (row["pid"], row["host"])}


# ---- what it is --------------------------------------------------------------

def parsed(attributes):
    """Values that are JSON as what they say."""
    return {k: json.loads(v) if k in (
        "handspan.input", "handspan.output", "handspan.attributes",
        "handspan.capture", "handspan.error", "handspan.command") else v
        for k, v in attributes.items()}


def event(e):
    about = dictionary(e.get("attributes", []))
    if e["name"] == "overdue":  # where it stood: told by errors of other tests
        about.pop("code.stacktrace", None)
    return (e["name"], int(e["timeUnixNano"]), about)


def is_there(span, about):
    status = span.get("status", {})
    attributes = parsed(dictionary(span.get("attributes", [])))
    return {
        "name": span["name"], "parent": span.get("parentSpanId", ""),
        "kind": span.get("kind", 0), "start": int(span["startTimeUnixNano"]),
        "end": int(span["endTimeUnixNano"]),
        "failed": status.get("code", 0) == 2, "message": status.get("message", ""),
        "links": [(k["traceId"], k["spanId"]) for k in span.get("links", [])],
        "events": [event(e) for e in span.get("events", [])],
        "attributes": {k: v for k, v in attributes.items() if k not in REST and k != REMARK},
        "resource": (about["process.pid"], about["host.name"])}, attributes


def check_rest(row, attributes, groups):
    """What `spans --json` does not have."""
    path, line = (attributes.get(k) for k in ("code.file.path", "code.line.number"))
    group = attributes.get("handspan.error.group")
    bad = []
    if (path is None) != (line is None) or (path and line <= 0):
        bad.append(f"a place {path}:{line}")
    if bool(row["error"]) and not is_process(row) and group not in groups:
        bad.append(f"a group {group}")
    return bad


def trace(rows, base, trace_id, root=(), groups=()):
    """What differs, in words, and how many spans were compared."""
    here = {r["span_id"]: r for r in rows}
    there, bad = {}, []
    for span, about in spans_there(base, trace_id):
        if span["spanId"] in there:
            bad.append(f"{span['name']} {span['spanId']}: there twice")
        there[span["spanId"]] = (span, about)
    name = f"{rows[0]['name']} {trace_id[:8]}"
    for what, ids in ("missing", set(here) - set(there)), ("more", set(there) - set(here)):
        if ids:
            bad.append(f"{name}: {len(ids)} {what}, as {sorted(ids)[:2]}")
    for span_id in set(here) & set(there):
        want = wanted(here[span_id], root)
        got, attributes = is_there(*there[span_id])
        if attributes.get(REMARK) and want["end"] == want["start"]:
            want["end"] += 1
        rest = check_rest(here[span_id], attributes, groups)
        bad += [f"{want['name']} {span_id}: {k} {got[k]}, in the store {want[k]}"
                for k in want if got[k] != want[k]]
        bad += [f"{want['name']} {span_id}: {r}" for r in rest]
    return bad, len(set(here) & set(there))
