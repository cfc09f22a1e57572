#!/usr/bin/env python3
"""record.py PROGRAM FOLDER: runs a bus and clients of a program and makes seeds of what they say to each other: FOLDER/bus,
FOLDER/client and FOLDER/wire. Made anew when the wire has a new field or verb; then minimised, so that few are left:

    tests/fuzz/record.py build/release/bus/fob /tmp/seeds
    build/fuzz/tests/fuzz/fuzz_bus -merge=1 tests/fuzz/corpus/bus /tmp/seeds/bus
"""
import os
import struct
import sys
import tempfile
import time

try:
    import zmq
except ImportError as error:
    sys.exit(f"{error}: this needs Debian's modules: apt install python3-zmq python3-msgpack")
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../upgrade"))
from wire import HELLO, PUBLISH, SETTLE, Bus, client, free_port, values

# Pieces, as of fuzz_bus.c and fuzz_client.c.
HAS_BODY, TIME = 8, 32
MESSAGE, BODIED, CAST, PASS, OFFER, SETTLES, BROKEN = range(7)

LINES = "".join(f'{{"n":{i},"id":"x{i % 3}","key":"k{i % 2}"}}\n' for i in range(6))
RETRY = ["--", "sh", "-c", '[ "$FOB_ATTEMPT" -gt 1 ]']
REJECT = ["--", "sh", "-c", "exit 65"]
RELEASE = ["--", "sh", "-c", "[ -e released ] || { >released; exit 75; }"]
# A story is a list of what runs, one after the other (a number: so many seconds pass); each makes its seeds. With & it goes
# on beside what comes behind it.
STORIES = {
    "publish": [["pub", "a.b", "--lines", "--id-from", "/id", "--key-from", "/key", "-v"], ["pub", "a.c", "text", "--text"],
                ["pub", "a.b", "1", "--priority", "9", "--header", "h=v"],
                ["pub", "a.fire", "1", "--confirm", "none"], ["ping"]],
    "work": [["group", "add", "g", "a.>", "--from", "earliest", "max_attempts=2"], ["pub", "a.b", "--lines"],
             ["work", "g", "a.>", "--count", "1"], ["work", "g", "a.>", "--count", "1", *REJECT],
             ["work", "g", "a.>", "--count", "1", *RELEASE], ["work", "g", "a.>", "--count", "2", *RETRY],
             ["dead", "ls", "g"], ["dead", "redrive", "g"], ["work", "g", "a.>", "--count", "1", "--json"]],
    "operate": [["group", "add", "g", "a.*", "--from", "earliest"], ["pub", "a.b", "--lines"], ["group", "ls", "--json"],
                ["group", "show", "g"], ["group", "set", "g", "max_depth=2", "overflow=drop-oldest"], ["group", "pause", "g"],
                ["group", "resume", "g"], ["group", "reset", "g", "--to", "earliest"], ["stats"],
                ["group", "purge", "g"], ["group", "rm", "g"]],
    "listen": [["sub", "a.>", "--count", "7", "&"], ["pub", "a.b", "--lines"], ["pub", "a.c", "1", "--id", "one"],
               ["sub", "a.b", "--from", "earliest", "--count", "6"], ["sub", ">", "--from", "last", "--count", "2"],
               ["sub", "a.*", "--from", "3", "--count", "4"], ["sub", ">", "--since", "1h", "--count", "7"],
               ["sub", "a.>", "--mode", "notify", "--from", "2", "&"],
               ["tail", "--from", "earliest", "--count", "7"], ["pub", "a.d", "2"], [12]],
    "live": [["sub", "a.>", "--mode", "live", "--count", "7", "&"], ["pub", "a.b", "--lines", "--confirm", "none"],
             ["pub", "a.c", "1"]],
}


class GoBetween:
    """Between clients and a bus: notes what passes, and what the bus tells all."""

    def __init__(self, port):
        context = zmq.Context()
        self.context, self.behind, self.port = context, port, free_port()
        self.front = context.socket(zmq.ROUTER)
        self.front.bind(f"tcp://127.0.0.1:{self.port}")
        self.air = context.socket(zmq.SUB)
        self.air.connect(f"tcp://127.0.0.1:{port + 2}")
        self.air.subscribe(b"")
        self.peers, self.heard = {}, []  # [who, from, frames]

    def peer(self, identity):
        if identity not in self.peers:
            self.peers[identity] = self.context.socket(zmq.DEALER)
            self.peers[identity].connect(f"tcp://127.0.0.1:{self.behind}")
        return self.peers[identity]

    def pass_on(self, seconds):
        zmq.select([self.front, self.air, *self.peers.values()], [], [], seconds)
        while self.air.get(zmq.EVENTS) & zmq.POLLIN:
            self.heard.append((None, "X", self.air.recv_multipart()))
        while self.front.get(zmq.EVENTS) & zmq.POLLIN:
            identity, *frames = self.front.recv_multipart()
            self.heard.append((identity, "C", frames))
            self.peer(identity).send_multipart(frames)
        for identity, peer in self.peers.items():
            while peer.get(zmq.EVENTS) & zmq.POLLIN:
                frames = peer.recv_multipart()
                self.heard.append((identity, "B", frames))
                self.front.send_multipart([identity, *frames])

    def pass_for(self, seconds, until=lambda: False):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():
            self.pass_on(0.02)


def piece(*parts):
    whole = b"".join(bytes([part]) if isinstance(part, int) else part for part in parts)
    return struct.pack("<H", len(whole)) + whole


def to_bus(heard):
    """All that clients said; at most seven of them are told apart."""
    out, numbers = b"", {}
    for who, side, frames in heard:
        if side != "C":
            continue
        number = numbers.setdefault(who, len(numbers) % 7 + 1)
        if HELLO == values(frames[0])[0][0]:
            out += piece(TIME, 100, 0)
        out += piece(number | (HAS_BODY if len(frames) > 1 else 0), frames[0])
        if len(frames) > 1:
            out += piece(frames[1])
    return out + piece(TIME, 250, 100)


def to_client(heard, who):
    """What one client heard, and what it did itself: events it offered, how it settled."""
    out = b""
    for whose, side, frames in heard:
        if side == "X":
            out += piece(CAST, frames[0]) + piece(frames[1]) if len(frames) > 1 else b""
        elif whose != who:
            continue
        elif side == "B":
            out += piece(BODIED if len(frames) > 1 else MESSAGE, frames[0])
            out += piece(frames[1]) if len(frames) > 1 else b""
        else:
            verb, _, fields = values(frames[0])[0][:3]
            if verb == PUBLISH:
                for event in values(frames[1]):
                    out += piece(OFFER, 2 + ("id" in event[1]), event[0].encode())
            if verb == SETTLE:
                for kind, _, count, *_ in fields["runs"]:
                    out += piece(SETTLES, kind, 1, b"why") * count
    return out + piece(PASS, 200, 4) + piece(BROKEN) + piece(PASS, 200, 100)


def write(folder, target, name, data):
    os.makedirs(os.path.join(folder, target), exist_ok=True)
    with open(os.path.join(folder, target, name), "wb") as file:
        file.write(data)


def live(program, story, folder):
    bus = Bus(program, folder)
    between, beside = GoBetween(bus.port), []
    for args in story:
        if not isinstance(args[0], str):
            between.pass_for(args[0])
            continue
        along = args[-1] == "&"
        process = client(program, args[:-1] if along else args, between.port, folder)
        process.stdin.write(LINES.encode() if "--lines" in args else b"")
        process.stdin.close()
        between.pass_for(1 if along else 20, lambda: process.poll() is not None)
        if along:
            beside.append(process)
            continue
        process.kill()
        print(process.wait(), *args, process.stderr.read().decode().strip())
    for process in beside:
        process.kill()
    bus.end()
    return between.heard


def main(program, folder):
    shapes = set()
    for name, story in STORIES.items():
        with tempfile.TemporaryDirectory() as home:
            heard = live(program, story, home)
        write(folder, "bus", f"recorded_{name}", to_bus(heard))
        for i, who in enumerate(dict.fromkeys(who for who, _, _ in heard if who)):
            write(folder, "client", f"recorded_{name}_{i}", to_client(heard, who))
        for _, side, frames in heard:
            said = values(frames[0])[0] if side != "X" else ["cast"]
            shape = (said[0], *sorted(said[2])) if side != "X" else ("cast", frames[0][-1:])
            if shape not in shapes:
                shapes.add(shape)
                write(folder, "wire", f"recorded_{said[0]}_{sum(one[0] == said[0] for one in shapes)}", frames[0])


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(*sys.argv[1:])
