#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""examples/kubernetes/pod.yaml: fields as the API has them (a schema of those
that it uses, core/v1), names that lead somewhere, and the layout that
docs/containers.md promises. No cluster takes part.

usage: kubernetes_test.py SOURCE HANDSPAN
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest

import jsonschema
import yaml

SOURCE, HANDSPAN = sys.argv[1:3]
TEXT = {"type": "string"}
NAME = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"}
ID = {"type": "integer", "minimum": 0}


def fields(required, **those):
    return {"type": "object", "additionalProperties": False,
            "required": required.split(), "properties": those}


def many(what):
    return {"type": "array", "items": what}


ENV = many(fields("name", name={"type": "string", "pattern": "^[A-Z_]+$"},
                  value=TEXT, valueFrom=fields("fieldRef", fieldRef=fields(
                      "fieldPath", fieldPath={"enum": [
                          "metadata.name", "metadata.namespace",
                          "spec.nodeName"]}))))
CONTAINER = fields(
    "name image", name=NAME, image=TEXT, command=many(TEXT), args=many(TEXT),
    env=ENV,
    securityContext=fields(
        "runAsUser", runAsUser=ID, runAsGroup=ID,
        allowPrivilegeEscalation={"type": "boolean"},
        capabilities=fields("drop", drop=many(TEXT))),
    resources=fields("limits", limits=fields("", memory={
        "type": "string", "pattern": "^[0-9]+[KMG]i$"})),
    volumeMounts=many(fields("name mountPath", name=NAME, mountPath={
        "type": "string", "pattern": "^/[^:]*$"}, subPath={
            "type": "string", "pattern": r"^[^/]"},
        readOnly={"type": "boolean"})))
VOLUME = fields("name", name=NAME, emptyDir=fields(
    "", medium={"enum": ["", "Memory"]}, sizeLimit={
        "type": "string", "pattern": "^[0-9]+[KMG]i$"}),
    configMap=fields("name", name=NAME))
META = fields("name", name=NAME)
POD = fields("apiVersion kind metadata spec", apiVersion={"const": "v1"},
             kind={"const": "Pod"}, metadata=META, spec=fields(
                 "containers",
                 restartPolicy={"enum": ["Always", "OnFailure", "Never"]},
                 initContainers=many(CONTAINER), containers=many(CONTAINER),
                 securityContext=fields("", supplementalGroups=many(ID)),
                 volumes=many(VOLUME)))
CONFIG = fields("apiVersion kind metadata data", apiVersion={"const": "v1"},
                kind={"const": "ConfigMap"}, metadata=META,
                data={"type": "object", "additionalProperties": TEXT})


class Pod(unittest.TestCase):
    def setUp(self):
        path = os.path.join(SOURCE, "examples/kubernetes/pod.yaml")
        with open(path, encoding="utf-8") as f:
            self.config, self.pod = yaml.safe_load_all(f)
        self.spec = self.pod["spec"]
        self.programs = [c for c in self.spec["containers"]
                         if c["name"] != "handspan"]
        self.sidecar, = [c for c in self.spec["containers"]
                         if c["name"] == "handspan"]

    def test_fields(self):
        jsonschema.validate(self.config, CONFIG)
        jsonschema.validate(self.pod, POD)
        self.spec["containers"][0]["volumeMount"] = []  # it can fail
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate(self.pod, POD)

    def test_names(self):
        volumes = {v["name"] for v in self.spec["volumes"]}
        every = self.spec["containers"] + self.spec["initContainers"]
        for c in every:
            for m in c["volumeMounts"]:
                self.assertIn(m["name"], volumes)
        for c in self.programs:
            mount, = [m for m in c["volumeMounts"] if m["name"] == "manifests"]
            self.assertIn(mount["subPath"], self.config["data"])
        with open(os.path.join(SOURCE, "docs/handspan.1"), encoding="utf-8") as f:
            manual = f.read()
        for e in (e for c in every for e in c.get("env", [])
                  if e["name"].startswith("HANDSPAN_")):
            self.assertIn(e["name"], manual)
        used = set(re.findall(r"--[a-z]+", self.sidecar["args"][0]))
        said = subprocess.run([HANDSPAN, "sidecar", "--help"], text=True,
                              capture_output=True, check=True).stdout
        self.assertEqual({u for u in used if u not in said}, set())

    def test_layout(self):
        make = self.spec["initContainers"][0]["args"][0]
        made = dict(re.findall(r"-m 2770 -g (\d+) /run/handspan/(\w+)", make))
        served = re.findall(r"--dir /run/handspan/(\w+)", self.sidecar["args"][0])
        self.assertEqual(sorted(made.values()), sorted(served))
        self.assertEqual(sorted(map(int, made)),
                         self.spec["securityContext"]["supplementalGroups"])
        users = [c["securityContext"]["runAsUser"]
                 for c in self.spec["containers"]]
        self.assertEqual(len(set(users)), len(users))
        for c in self.programs:
            mounts = {m["name"]: m for m in c["volumeMounts"]}
            env = {e["name"]: e.get("value") for e in c["env"]}
            self.assertNotIn("store", mounts)
            own = mounts["sessions"]["subPath"]
            self.assertEqual(made[str(c["securityContext"]["runAsGroup"])], own)
            self.assertEqual(env["HANDSPAN_DIR"], mounts["sessions"]["mountPath"])
            self.assertTrue(env["LD_PRELOAD"].startswith(
                mounts["preload"]["mountPath"]))
            self.assertEqual(env["HANDSPAN_MANIFEST"],
                             mounts["manifests"]["mountPath"])
        memory, = [v for v in self.spec["volumes"] if v["name"] == "sessions"]
        self.assertEqual(memory["emptyDir"]["medium"], "Memory")

    def test_manifests(self):
        """Each is read; what it binds is another question."""
        for name, text in self.config["data"].items():
            with tempfile.NamedTemporaryFile("w", suffix=name) as f:
                f.write(text)
                f.flush()
                r = subprocess.run([HANDSPAN, "check", "-m", f.name, "/bin/true"],
                                   text=True, capture_output=True, check=False)
                self.assertIn("1 declaration: 1 none", r.stdout, name)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
