# SPDX-License-Identifier: Apache-2.0
"""A session file as the tests of the stack context read it: sites, modules and
the items of each lane's log, in order. docs/lane.md is what it follows."""
import glob
import struct

TABLE = {name: 112 + 16 * i for i, name in enumerate(
    "processes contexts sites items counters modules anchors strings lanes "
    "units".split())}
HEADER = {"site": 392, "module": 400, "lane": 412}
SEGMENT = 1 << 17
RING = 512
HOME_FIRST = SEGMENT - (48 << 10)
LANE_HOME, LANE_UNIT, LANE_POSITION = 20480, 448, 256
KINDS = {1: "input", 2: "output", 3: "thread", 4: "error", 6: "stack",
         7: "throw", 8: "cause", 9: "stderr"}


class Item(dict):
    __getattr__ = dict.__getitem__


def text(payload, at, length):
    return payload[at:at + length].decode("utf-8", "replace")


def parse_stack(payload):
    head = struct.unpack_from("<BBHIQQQQiiII", payload, 0)
    item = dict(zip("reason flags call_count stack_bytes hash first ticks "
                    "fault signal code known tid".split(), head))
    item["registers"] = struct.unpack_from("<17Q", payload, 56)
    item["calls"] = []
    for i in range(item["call_count"]):
        slot, ip, sp, rbp, span, site = struct.unpack_from(
            "<QQQQQI", payload, 192 + 48 * i)
        item["calls"].append(dict(slot=slot, ip=ip, sp=sp, rbp=rbp, span=span,
                                  site=site))
    at = 192 + 48 * item["call_count"]
    item["bytes"] = payload[at:at + item["stack_bytes"]]
    return item


def parse_throw(payload):
    kind, has, type_len, message_len, _, thing, stack = struct.unpack_from(
        "<BBHHHQQ", payload, 0)
    return dict(throw=kind, object=thing, stack=stack,
                type=text(payload, 40, type_len),
                message=text(payload, 40 + type_len, message_len)
                if has else None)


def parse_cause(payload):
    arguments = struct.unpack_from("<6Q", payload, 0)
    result, stack, _, made_in = struct.unpack_from("<qQQQ", payload, 48)
    error, name, form, length, flags = struct.unpack_from("<iBBHB", payload,
                                                          80)
    return dict(arguments=arguments, result=result, stack=stack,
                made_in=made_in, errno=error, call=text(payload, 96, name),
                format=text(payload, 96 + name, form),
                text=text(payload, 96 + name + form, length),
                text_flags=flags)


def parse_error(payload):
    kind, _, _, error, _, _, type_len, message_len, origin = \
        struct.unpack_from("<BBHiqQHHI", payload, 0)
    return dict(error=kind, errno=error, type=text(payload, 32, type_len),
                message=text(payload, 32 + type_len, message_len),
                origin=origin * 64)


PARSERS = {"stack": parse_stack, "throw": parse_throw, "cause": parse_cause,
           "error": parse_error,
           "stderr": lambda payload: {"text": text(payload, 0, len(payload))}}


class Session:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        self.bytes = self.data
        self.sites = {i: self.string(self.entry("sites", i) + 8)
                      for i in range(1, self.count("site"))}
        self.modules = []
        for i in range(self.count("module")):
            base, end = struct.unpack_from("<QQ", self.data,
                                           self.entry("modules", i) + 8)
            self.modules.append((base, end,
                                 self.string(self.entry("modules", i) + 24)))
        self.items = [item for i in range(self.count("lane"))
                      for item in self.log(i)]

    def count(self, name):
        return struct.unpack_from("<I", self.data, HEADER[name])[0]

    def entry(self, table, index):
        offset, size, _ = struct.unpack_from("<QII", self.data, TABLE[table])
        return offset + index * size

    def string(self, at):
        offset, length = struct.unpack_from("<II", self.data, at)
        at = self.entry("strings", 0) + offset
        return self.data[at:at + length].decode("utf-8", "replace")

    def at(self, lane, position, length):
        segment, offset = divmod(position, SEGMENT)
        if segment == 0:
            at = lane + LANE_HOME + offset - HOME_FIRST
        else:
            unit, = struct.unpack_from("<I", self.data,
                                       lane + LANE_UNIT + 4 * (segment % RING))
            at = self.entry("units", unit - 1)
            at += offset
        return self.data[at:at + length]

    def log(self, index):
        lane = self.entry("lanes", index)
        end, = struct.unpack_from("<Q", self.data, lane + LANE_POSITION)
        position = HOME_FIRST
        while position < end:
            line = self.at(lane, position, 64)
            commit, = struct.unpack_from("<Q", line, 56)
            if commit & ~63 != (index + 1) << 48 | position:
                return  # reserved by who died
            if commit & 63 == 3:
                position = (position // SEGMENT + 1) * SEGMENT
            elif commit & 63 == 1:
                span, = struct.unpack_from("<Q", line, 16)
                word, = struct.unpack_from("<I", line, 48)
                yield Item(kind="record", span=span, status=word >> 24,
                           site=self.sites.get(word & 0xfff),
                           position=position, lane=index)
                position += 64
            else:
                length, kind, flags, _, span, site = struct.unpack_from(
                    "<IBBHQI", line, 0)
                payload = line[24:24 + length] if length <= 32 else \
                    self.at(lane, position + 64, length)
                name = KINDS.get(kind, str(kind))
                item = PARSERS.get(name, lambda payload: {})(payload)
                item.update(kind=name, span=span, position=position, lane=index,
                            site=self.sites.get(site), frame_flags=flags)
                yield Item(item)
                position += 64 + (length + 63 & ~63 if length > 32 else 0)

    def module_of(self, address):
        for base, end, path in self.modules:
            if base <= address < end:
                return path.rsplit("/", 1)[-1], address - base
        return None, address

    def of(self, kind, site=None):
        return [item for item in self.items if item.kind == kind and
                (site is None or item.site == site)]


def sessions(folder):
    return [Session(path) for path in sorted(glob.glob(folder + "/session-*"))]
