"""Conversations of clients and buses, as the messages on ROUTER/DEALER: what they are made of, and what they mean.

A file of tests/upgrade/golden is JSON: `program` (whose), `steps`: what clients were run, in turn, each with its words
(`args`), its input, the exit code and the output that it had, and its `messages`: [from, frame, ...] in the order in which
they passed, from is C (client) or B (bus), frames in hexadecimal.
"""
import io, os, select, subprocess, sys, time, msgpack, zmq

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from ports import free_port

PATIENCE = 90  # seconds, for what takes milliseconds on a machine that is not busy
HELLO, WELCOME, BEAT, GOODBYE, ERROR, PUBLISH, RECEIPT = 1, 2, 3, 4, 5, 10, 11
PROTOCOL = 17  # a code
JOIN, JOINED, LEAVE, CREDIT, DELIVER, SETTLE, SETTLED, LOST, REPLY = 20, 21, 22, 23, 24, 25, 26, 27, 44

HANDLER = {"reject": "exit 65", "retry once": '[ "$FOB_ATTEMPT" -gt 1 ]', "release once": '[ -e released ] || { >released; exit 75; }'}
# What a client can do, one thing at a time, so that each message has its place. The first part is what there was at first.
FIRST_LIFE = [
    (["group", "add", "billing", "order.*"], ""),
    (["group", "add", "audit", ">"], ""),
    (["pub", "order.new", '{"n":1}', "--id", "one", "--key", "k", "--header", "from=test", "--json"], ""),
    (["pub", "order.new", "--lines", "--json"], '{"n":2}\n'),
    (["pub", "order.text", "a text", "--text", "--json"], ""),
    (["pub", "note", "1", "--json"], ""),
    (["work", "billing", "order.*", "--count", "1", "--json"], ""),
    (["work", "billing", "order.*", "--count", "1", "--", "sh", "-c", HANDLER["reject"]], ""),
    (["work", "billing", "order.*", "--count", "2", "--", "sh", "-c", HANDLER["retry once"]], ""),
    (["work", "audit", ">", "--count", "2", "--", "sh", "-c", HANDLER["release once"]], ""),
    (["work", "fresh", "order.*", "--temporary", "--count", "1", "--connect-timeout", "9s"], None),
    (["group", "ls", "--json"], ""),
    (["stats", "--json"], ""),
    (["group", "rm", "audit"], ""),
    (["group", "rm", "nobody"], ""),
    (["ping"], ""),
]
SECOND_LIFE = FIRST_LIFE + [
    (["group", "add", "late", ">", "--from", "earliest", "max_depth=100", "overflow=drop-oldest"], ""),
    (["group", "show", "late", "--json"], ""),
    (["group", "set", "late", "lease=30s", "max_attempts=2"], ""),
    (["group", "pause", "late"], ""),
    (["group", "resume", "late"], ""),
    (["dead", "ls", "billing", "--json"], ""),
    (["dead", "show", "billing", "2", "--json"], ""),
    (["dead", "redrive", "billing", "--dry-run"], ""),
    (["dead", "redrive", "billing"], ""),
    (["work", "billing", "order.*", "--count", "1", "--json"], ""),
    (["pub", "order.new", '{"n":1}', "--id", "one", "--json"], ""),
    (["pub", "order.new", '{"n":9}', "--id", "one", "--json"], ""),
    (["pub", "order.new", '{"n":3}', "--priority", "7", "--json"], ""),
    (["group", "reset", "late", "--to", "latest"], ""),
    (["group", "purge", "billing"], ""),
    (["group", "add", "tiny", "tiny", "max_depth=1"], ""),
    (["pub", "tiny", "1", "--json"], ""),
    (["pub", "tiny", "2", "--json", "--deadline", "300ms"], ""),
    (["work", "tiny", "tiny", "--count", "1", "--json"], ""),
    (["group", "rm", "late"], ""),
]

def values(frame):
    """All of a frame, one after the other. Texts need not be UTF-8."""
    return list(msgpack.Unpacker(io.BytesIO(frame), unicode_errors="surrogateescape", strict_map_key=False))

def pack(value):
    return msgpack.packb(value, unicode_errors="surrogateescape")

class Bus:
    """A program's bus in a folder, and its clients."""
    def __init__(self, program, folder):
        self.program = os.path.abspath(program)
        config = os.path.join(folder, "fob.config")
        with open(config, "w") as file:
            file.write("heartbeat = 5s\n")  # a client that is late is not lost for it
        for _ in range(20):  # another may take the port first
            self.port = free_port()
            self.process = subprocess.Popen([self.program, "serve", "--port", str(self.port), "--data",
                                             os.path.join(folder, "data"), "--config", config],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            if select.select([self.process.stdout], [], [], PATIENCE)[0] and self.process.stdout.readline():
                return
            self.end()
        raise AssertionError("there is no bus")

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

def client(program, args, port, folder, **more):
    environment = dict(os.environ, FOB_BUS=f"tcp://127.0.0.1:{port}")
    return subprocess.Popen([os.path.abspath(program), *args], env=environment, cwd=folder, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

class Meaning:
    """What a conversation came to, however it was cut into messages: a set of facts that the bus told."""
    def __init__(self):
        self.facts, self.tokens = set(), {}

    def take(self, frames):
        verb, _, fields = values(frames[0])[0][:3]
        row = getattr(self, f"_{verb}", None)
        if row:
            row(fields, frames[1] if len(frames) > 1 else b"")

    def _2(self, fields, _):
        self.facts.add(("welcome", fields["version"]))

    def _5(self, fields, _):
        self.facts.add(("error", fields["code"], fields.get("of")))

    def _11(self, fields, _):
        for code, number, count, offset, groups, *rest in fields["runs"]:
            details = rest[0] if rest else {}
            for i in range(count):
                self.facts.add(("receipt", code, number + i, offset and offset + i, groups, details.get("duplicate"),
                                details.get("differs"), details.get("group")))

    def _21(self, fields, _):
        self.facts.add(("joined", fields["group"], fields["code"], fields.get("pattern"), fields.get("created", False)))

    def _24(self, fields, body):
        events = iter(values(body))
        for offset, count, token, attempt, *_ in fields["runs"]:
            for i in range(count):
                topic, attributes, data = next(events)[:3]
                self.tokens[fields["group"], offset + i, attempt] = token + i
                self.facts.add(("delivered", fields["group"], offset + i, attempt, topic, pack(sorted(attributes.items())), data))

    def _26(self, fields, _):
        self.facts.add(("settled", fields["group"], fields["seq"], len(fields.get("refused", []))))

    def _44(self, fields, body):
        self.facts.add(("reply", fields["req"], fields["code"]))

def latest_token(meaning, group, offset):
    found = [(attempt, token) for (g, o, attempt), token in meaning.tokens.items() if (g, o) == (group, offset)]
    return max(found)[1] if found else None

def with_tokens(frames, there, here):
    """A SETTLE with the tokens of this bus where those of the recorded one stand."""
    verb, shard, fields, *rest = values(frames[0])[0]
    if verb != SETTLE:
        return frames
    rows = []
    for kind, offset, count, token, *more in fields["runs"]:
        for i in range(count):
            assert latest_token(there, fields["group"], offset + i) == token + i
            rows.append([kind, offset + i, 1, latest_token(here, fields["group"], offset + i), *more])
    if [row[3] for row in rows] == [token + i for kind, offset, count, token, *more in fields["runs"] for i in range(count)]:
        return frames  # as it was sent
    return [pack([verb, shard, dict(fields, runs=rows), *rest]), *frames[1:]]
