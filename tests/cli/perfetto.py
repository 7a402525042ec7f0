# SPDX-License-Identifier: Apache-2.0
"""Perfetto's protobuf, read as its trace processor does: packets in order of
their times, those of one time as they stand; a track's ends close what began
last on it. Debian's python3-protobuf and protobuf-compiler."""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
NEEDS_STATE, CLEARED = 2, 1
REALTIME, BOOTTIME = 1, 6


def definitions():
    with tempfile.TemporaryDirectory() as made:
        subprocess.run(["protoc", "-I", HERE, "--python_out", made, "perfetto.proto"],
                       check=True)
        sys.path.insert(0, made)
        try:
            import perfetto_pb2
        finally:
            sys.path.remove(made)
    return perfetto_pb2


PB = definitions()


class Slice:
    def __init__(self, name, track, start, around, event, names):
        self.name, self.track, self.start, self.around = name, track, start, around
        self.end = None
        self.flows = list(event.flow_ids)
        self.ends_flows = list(event.terminating_flow_ids)
        self.args = {}
        for a in event.debug_annotations:
            value = a.string_value if a.HasField("string_value") else a.int_value
            assert names[a.name_iid] not in self.args
            self.args[names[a.name_iid]] = value


class Perfetto:
    """tracks: {uuid: descriptor}; clocks: {id: time}; slices"""

    def __init__(self, data):
        packets = PB.Trace.FromString(data).packet
        self.tracks, self.clocks, self.slices = {}, {}, []
        first = packets[0]
        assert first.sequence_flags & CLEARED
        assert {p.trusted_packet_sequence_id for p in packets} == {
            first.trusted_packet_sequence_id} != {0}
        assert all(p.sequence_flags & NEEDS_STATE for p in packets)
        data = first.interned_data
        names = {n.iid: n.name for n in data.event_names}
        arguments = {n.iid: n.name for n in data.debug_annotation_names}
        assert 0 not in names and len(names) == len(data.event_names)
        for p in packets:
            if p.HasField("track_descriptor"):
                uuid = p.track_descriptor.uuid
                assert uuid and uuid not in self.tracks
                self.tracks[uuid] = p.track_descriptor
                parent = p.track_descriptor.parent_uuid
                assert not parent or parent in self.tracks
            for c in p.clock_snapshot.clocks:
                self.clocks[c.clock_id] = c.timestamp
        events = [p for p in packets if p.HasField("track_event")]
        self.open = {}
        for p in sorted(events, key=lambda p: p.timestamp):
            self.take(p.timestamp, p.track_event, names, arguments)
        self.never_ended = [s for stack in self.open.values() for s in stack]

    def take(self, now, event, names, arguments):
        stack = self.open.setdefault(event.track_uuid, [])
        if event.type == PB.TrackEvent.TYPE_SLICE_END:
            stack.pop().end = now
            return
        assert event.type == PB.TrackEvent.TYPE_SLICE_BEGIN
        name = event.name if event.HasField("name") else names[event.name_iid]
        stack.append(Slice(name, self.tracks[event.track_uuid], now,
                           stack[-1] if stack else None, event, arguments))
        self.slices.append(stack[-1])

    def thread_of(self, track):
        """(pid, tid) of a track or of the thread that it belongs to."""
        while not track.HasField("thread") and track.parent_uuid:
            track = self.tracks[track.parent_uuid]
        return (track.thread.pid, track.thread.tid) if track.HasField("thread") else None
