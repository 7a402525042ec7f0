#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A SIMULATION of PostgREST 12 and of InsForge's records, in front of a real
PostgreSQL: written from their public documentation, not from their code. It
runs the SQL that PostgREST documents (INSERT ... SELECT from
json_to_recordset, ON CONFLICT DO NOTHING; a role for each token) and answers
with the documented codes, also the ambiguous ones when told to.

What it cannot prove: how the real servers behave where their documentation is
silent or wrong; their limits, their schema cache's timing, their JWT checks,
TLS and proxies of a real installation; concurrency inside of them.

usage: gateway.py SOCKET_DIR PORT_FILE [FAULTS.json] [WIRE_FILE]
Faults: {"MODE": probability, ...}; read again whenever the file changes.
"""
import http.server
import json
import os
import random
import re
import socketserver
import sys
import threading
import time
import urllib.parse

import psycopg2
import psycopg2.extensions

import scan

SOCKET_DIR, PORT_FILE = sys.argv[1], sys.argv[2]
FAULTS = sys.argv[3] if len(sys.argv) > 3 else None
WIRE = sys.argv[4] if len(sys.argv) > 4 else None
# What a JWT's claim or an API key would say.
ROLES = {"token-writer": "handspan_writer", "token-reader": "handspan_reader",
         "ik_admin": None, "token-anon": "anon"}
local = threading.local()
fault_state = {"mtime": None, "faults": {}}


def faults():
    try:
        mtime = os.stat(FAULTS).st_mtime_ns if FAULTS else None
        if mtime != fault_state["mtime"]:
            with open(FAULTS, encoding="utf-8") as f:
                fault_state["faults"] = json.load(f)
            fault_state["mtime"] = mtime
    except (OSError, ValueError):
        pass
    return fault_state["faults"]


def fault():
    at = random.random()
    for mode, probability in faults().items():
        if mode != "delay" and at < probability:
            return mode
        at -= probability
    return None


def database():
    if getattr(local, "db", None) is None or local.db.closed:
        local.db = psycopg2.connect(host=SOCKET_DIR, user="owner",
                                    dbname="postgres")
    return local.db


class Answer(Exception):
    def __init__(self, status, body=None, headers=None, kind="application/json"):
        super().__init__(status)
        self.status, self.headers, self.kind = status, headers or {}, kind
        self.body = b"" if body is None else body if isinstance(body, bytes) \
            else json.dumps(body).encode()


def problem(status, code, message, details=None, hint=None):
    return Answer(status, {"code": code, "message": message,
                           "details": details, "hint": hint})


STATUS = [("08", 503), ("09", 500), ("0L", 403), ("0P", 403), ("21000", 500),
          ("23503", 409), ("23505", 409), ("25006", 405), ("25", 500),
          ("28", 403), ("2D", 500), ("38", 500), ("39", 500), ("3B", 500),
          ("40", 500), ("53400", 500), ("53", 503), ("54", 413), ("55", 500),
          ("57P01", 503), ("57", 500), ("58", 500), ("F0", 500), ("HV", 500),
          ("P0001", 400), ("P0", 500), ("XX", 500), ("42883", 404),
          ("42P01", 404), ("42P17", 500)]


def of_postgres(e, role):
    """PostgREST's table of errors."""
    local.db = None
    code = e.pgcode
    if code is None:
        return problem(503, "PGRST001", "Database client error. Retrying the "
                       "connection.")
    status = next((s for c, s in STATUS if code.startswith(c)), 400)
    if code == "42501":
        status = 401 if role == "anon" else 403
    d = e.diag
    return problem(status, code, d.message_primary, d.message_detail,
                   d.message_hint)


def identifier(name):
    return '"' + name.replace('"', '""') + '"'


def column_types(cursor, table):
    cursor.execute("SELECT a.attname, format_type(a.atttypid, a.atttypmod) "
                   "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
                   "WHERE c.relname = %s AND c.relnamespace = "
                   "'public'::regnamespace AND a.attnum > 0 "
                   "AND NOT a.attisdropped", (table,))
    return dict(cursor.fetchall())


def insert(role, table, query, body, prefer):
    try:
        rows = json.loads(body)
    except ValueError:
        raise problem(400, "PGRST102", "Empty or invalid json") from None
    columns = query.get("columns", "").split(",")
    db = database()
    with db.cursor() as q:
        types = column_types(q, table)
        if not types:
            raise Answer(404, {})
        if not query.get("columns"):
            columns = list(rows[0])
            if any(list(r) != columns for r in rows):
                raise problem(400, "PGRST102", "All object keys must match")
        for c in columns:
            if c not in types:
                raise problem(400, "PGRST204", f"Could not find the '{c}' "
                              f"column of '{table}' in the schema cache")
        names = ", ".join(map(identifier, columns))
        typed = ", ".join(f"{identifier(c)} {types[c]}" for c in columns)
        conflict = ""
        if "resolution=ignore-duplicates" in prefer:
            keys = ", ".join(map(identifier, query["on_conflict"].split(",")))
            conflict = f"ON CONFLICT({keys}) DO NOTHING"
        if role:
            q.execute(f"SET LOCAL ROLE {identifier(role)}")
        q.execute(
            f"WITH pgrst_source AS (INSERT INTO public.{identifier(table)}"
            f"({names}) SELECT {names} FROM (SELECT %s::json AS json_data) "
            "pgrst_payload, LATERAL (SELECT CASE WHEN json_typeof(json_data) "
            "= 'array' THEN json_data ELSE json_build_array(json_data) END AS "
            f"val) pgrst_uniform_json, LATERAL (SELECT * FROM "
            f"json_to_recordset(val) AS _({typed})) pgrst_body {conflict} "
            "RETURNING 1) SELECT count(*) FROM pgrst_source",
            (body.decode("utf-8", "surrogateescape"),))
    return Answer(201, headers={"Content-Range": "*/*"})


OPERATORS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<",
             "lte": "<=", "like": "LIKE"}


def condition(column, value):
    operator, _, operand = value.partition(".")
    if operator == "not":
        sql, args = condition(column, operand)
        return f"NOT ({sql})", args
    if operator == "is":
        return f"{identifier(column)} IS {operand.upper()}", []
    if operator == "in":
        items = operand.strip("()").split(",")
        return f"{identifier(column)} IN ({', '.join(['%s'] * len(items))})", \
            items
    if operator == "like":
        operand = operand.replace("*", "%")
    if operator not in OPERATORS:
        raise problem(400, "PGRST100", f"unknown operator {operator}")
    return f"{identifier(column)} {OPERATORS[operator]} %s", [operand]


def select(role, source, pairs, arguments=()):
    columns, tail, where, args = "*", "", [], list(arguments)
    for key, value in pairs:
        if key == "select":
            columns = ", ".join(map(identifier, value.split(",")))
        elif key == "order":
            parts = [p.split(".") for p in value.split(",")]
            tail = " ORDER BY " + ", ".join(
                identifier(p[0]) + (" DESC" if "desc" in p[1:] else "") +
                (" NULLS LAST" if "nullslast" in p[1:] else "")
                for p in parts) + tail
        elif key in ("limit", "offset"):
            tail += f" {key.upper()} {int(value)}"
        else:
            sql, more = condition(key, value)
            where.append(sql)
            args += more
    text = f"SELECT {columns} FROM {source}"
    if where:
        text += " WHERE " + " AND ".join(where)
    with database().cursor() as q:
        if role:
            q.execute(f"SET LOCAL ROLE {identifier(role)}")
        q.execute(f"SELECT coalesce(json_agg(r), '[]')::text FROM "
                  f"({text}{tail}) r", args)
        return Answer(200, q.fetchone()[0].encode())


def call(role, name, pairs):
    named, rest = [], []
    with database().cursor() as q:
        q.execute("SELECT proargnames FROM pg_proc WHERE proname = %s AND "
                  "pronamespace = 'public'::regnamespace", (name,))
        row = q.fetchone()
        if not row:
            raise problem(404, "PGRST202", f"Could not find the function {name}")
        for key, value in pairs:
            (named if key in (row[0] or []) and "." not in value.split("(")[0]
             or key in ("since", "until", "trace", "program", "host",
                        "service") else rest).append((key, value))
    text = ", ".join(f"{identifier(k)} => %s" for k, _ in named)
    return select(role, f"public.{identifier(name)}({text})", rest,
                  [v for _, v in named])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_):
        pass

    def role(self):
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if not bearer:
            return "anon"
        if bearer not in ROLES:
            raise problem(401, "PGRST301", "JWT expired")
        return ROLES[bearer]

    def reply(self, a):
        self.send_response(a.status)
        for k, v in a.headers.items():
            self.send_header(k, v)
        if a.body:
            self.send_header("Content-Type", a.kind + "; charset=utf-8")
        self.send_header("Content-Length", str(len(a.body)))
        self.end_headers()
        self.wfile.write(a.body)

    def before(self, mode, body):
        """Faults instead of the work."""
        rows = body.count(b'"trace_id"')
        table = {
            "502": Answer(502, b"<html>bad gateway</html>", kind="text/html"),
            "503": Answer(503, {"code": "PGRST002", "message": "no schema"},
                          {"Retry-After": "1"}),
            "429": Answer(429, {"error": "RATE_LIMITED"}, {"Retry-After": "1"}),
            "html": Answer(200, b"<html>welcome to our wifi</html>",
                           kind="text/html"),
            "redirect": Answer(307, headers={
                "Location": faults().get("location", "http://127.0.0.2:9/")}),
            "401": problem(401, "PGRST301", "JWT expired"),
            "stale": Answer(404, {}),
            "pgrst204": problem(400, "PGRST204", "Could not find the 'x' "
                                "column of 'spans' in the schema cache"),
            "57014": problem(500, "57014", "canceling statement due to "
                             "statement timeout"),
            "40P01": problem(500, "40P01", "deadlock detected"),
            "21000": problem(500, "21000", "cannot affect row a second time"),
            "big": Answer(502, b"x" * (50 << 20), kind="text/plain"),
        }
        if mode == "close":
            raise ConnectionError
        if mode == "413" and rows > 50:
            raise Answer(413, {"message": "too large"})
        if mode == "insforge500" and rows > 50:
            raise Answer(500, {"error": "INTERNAL_ERROR", "message": "entity "
                               "too large", "statusCode": 500})
        if mode == "slow":
            self.wfile.write(b"HTTP/1.1 201 Created\r\n")
            for _ in range(int(faults().get("slow_s", 60))):
                self.wfile.write(b"X")
                self.wfile.flush()
                time.sleep(1)
            raise ConnectionError
        if mode in table:
            raise table[mode]

    def after(self, mode):
        """Faults after the commit."""
        if mode == "lost":
            raise ConnectionError
        if mode == "500_after":
            time.sleep(float(faults().get("delay", 1)))
            raise Answer(500, {"error": "INTERNAL_ERROR", "message": "timeout "
                               "of 10000ms exceeded", "statusCode": 500})

    def work(self, body):
        url = urllib.parse.urlsplit(scan.split(self.path)[1])
        pairs = urllib.parse.parse_qsl(url.query, keep_blank_values=True)
        path = url.path.replace("/api/database/records", "").strip("/")
        role = self.role()
        db = database()
        try:
            if path.startswith("rpc/"):
                a = call(role, path[4:], pairs)
            elif self.command == "POST":
                a = insert(role, path, dict(pairs), body,
                           self.headers.get("Prefer", ""))
            else:
                a = select(role, f"public.{identifier(path)}", pairs)
            db.commit()
            return a
        except Answer:
            db.rollback()
            raise
        except psycopg2.Error as e:
            try:
                db.rollback()
            except psycopg2.Error:
                pass
            raise of_postgres(e, role) from None

    def handle_one(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if WIRE:
            scan.record(WIRE, self.command, self.path, self.headers, body)
        mode = fault()
        try:
            try:
                self.before(mode, body)
                a = self.work(body)
                self.after(mode)
                self.reply(a)
            except psycopg2.Error as e:
                self.reply(of_postgres(e, None))
            except Answer as a:
                self.reply(a)
        except (ConnectionError, OSError):
            self.close_connection = True
            try:
                self.connection.shutdown(2)
            except OSError:
                pass

    do_POST = do_GET = do_DELETE = handle_one


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


def main():
    port = 0
    try:  # after a kill: the same place
        port = int(open(PORT_FILE, encoding="utf-8").read())
    except (OSError, ValueError):
        pass
    server = Server(("127.0.0.1", port), Handler)
    with open(PORT_FILE + ".new", "w", encoding="utf-8") as f:
        f.write(str(server.server_address[1]))
    os.rename(PORT_FILE + ".new", PORT_FILE)
    server.serve_forever()


if __name__ == "__main__":
    re.purge()
    main()
