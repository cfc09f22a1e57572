"""Clients and buses of other versions with this one: what they said is played, what it means is compared.

    FOB_BINARY=build/dev/bus/fob python3 -B tests/upgrade/test_upgrade.py [Upgrade.test_NAME]
"""
import json, os, shutil, sys, tempfile, time, unittest
try:
    import msgpack, zmq
except ImportError as error:
    sys.exit(f"{error}: this needs Debian's modules: apt install python3-zmq python3-msgpack")
from wire import *

FOB = os.environ.get("FOB_BINARY") or sys.exit("set FOB_BINARY to the program: build/dev/bus/fob")
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
UNKNOWN_VERB = 200
EXTRA = {"zz_future": {"a": [1, {"b": None}], "c": b"\x00\xff"}}

def golden(name):
    with open(os.path.join(GOLDEN, name + ".json")) as file:
        return json.load(file)["steps"]

def messages_of(step):
    return [(whose, [bytes.fromhex(frame) for frame in frames]) for whose, *frames in step["messages"]]

def head(frames):
    verb, shard, fields, *rest = values(frames[0])[0]
    return verb, fields

def of_the_future(frames):
    """The same message as a later minor version may send it."""
    verb, shard, fields, *rest = values(frames[0])[0]
    fields = {**EXTRA, **fields}
    if verb == HELLO:
        fields.update(version_max=9)
    if verb in (HELLO, WELCOME):
        fields["caps"] = ["zz-before", *fields.get("caps", []), "zz-behind"]
    if verb == WELCOME:
        fields["shards"] = [{**EXTRA, **shard} for shard in fields["shards"]]
        fields["bus"] = "fob/9.9.9"
    if verb == RECEIPT:
        fields["runs"] = [[*row[:5], {**EXTRA, **(row[5] if len(row) > 5 else {})}, "more"] for row in fields["runs"]]
    if verb in (DELIVER, LOST):
        fields["runs"] = [[*row, 77, "more"] for row in fields["runs"]]
    if verb == SETTLE:
        fields["runs"] = [[*row, 0, "more"] if len(row) == 4 else [*row, "more"] for row in fields["runs"]]
    return [pack([verb, shard, fields, "more"]), *frames[1:]]

class OldClient:
    """Sends what a client sent once, each message when this bus has told all that the bus told then."""
    def __init__(self, test, port, change=lambda frames: frames):
        self.test, self.port, self.change, self.context = test, port, change, zmq.Context.instance()
        self.strange = 0  # verbs that are still to be refused

    def begin(self):
        self.wanted, self.found = Meaning(), Meaning()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.connect(f"tcp://127.0.0.1:{self.port}")

    def end(self, step):
        self.await_facts(step)
        self.socket.close(1000)
        for kind in ("receipt", "settled", "reply", "error", "joined"):  # and nothing else of these
            self.test.assertEqual({fact for fact in self.found.facts if fact[0] == kind},
                                  {fact for fact in self.wanted.facts if fact[0] == kind}, step["args"])

    def play(self, step):
        """Some clients connect twice."""
        connected = False
        for whose, frames in messages_of(step):
            verb, fields = head(frames)
            if verb == BEAT:
                continue
            if whose == "B":
                self.wanted.take(frames)
                continue
            if verb == HELLO:
                if connected:
                    self.end(step)
                self.begin()
                connected = True
            self.await_facts(step)
            self.socket.send_multipart(self.change(with_tokens(frames, self.wanted, self.found)))
            if verb == HELLO and self.change is of_the_future:
                self.socket.send(pack([UNKNOWN_VERB, 0, EXTRA]))
                self.strange += 1
        self.end(step)

    def await_facts(self, step):
        deadline, beat, wanted, found = time.monotonic() + PATIENCE, 0, self.wanted, self.found
        while not wanted.facts <= found.facts or self.strange:
            now = time.monotonic()
            if now > deadline:
                self.test.fail(f"{step['args']}: not told: {wanted.facts - found.facts}; told: {found.facts - wanted.facts}; "
                               f"unknown verbs not refused: {self.strange}")
            if now > beat:
                beat = now + 0.3
                if found.facts:
                    self.socket.send(pack([BEAT, 0, {}]))
            if self.socket.poll(50):
                frames = self.socket.recv_multipart()
                verb, fields = head(frames)
                if verb == ERROR and fields.get("of") == UNKNOWN_VERB:  # named, and the connection goes on
                    self.test.assertEqual(fields["code"], PROTOCOL, fields)
                    self.strange -= 1
                else:
                    found.take(frames)

class OldBus:
    """Answers a client of today with what a bus answered once."""
    def __init__(self, change=lambda frames: frames):
        self.change, self.socket = change, zmq.Context.instance().socket(zmq.ROUTER)
        self.port = free_port()
        self.socket.bind(f"tcp://127.0.0.1:{self.port}")
        self.identity = None

    def begin(self, step):
        self.script, self.at, self.identity = messages_of(step), 0, None
        self.seen, self.settled, self.unanswered, self.beat_at = {}, set(), {}, 0

    def send(self, frames):
        self.socket.send_multipart([self.identity, *frames])

    def pump(self):
        if self.identity and time.monotonic() > self.beat_at:
            self.beat_at = time.monotonic() + 0.3
            self.send([pack([BEAT, 0, {"head": 0, "epoch": 1}])])
        if not self.socket.poll(20):
            return
        identity, *frames = self.socket.recv_multipart()
        verb, fields = head(frames)
        if verb == HELLO and self.identity != identity:
            self.identity, self.beat_at = identity, time.monotonic() + 0.3
        if verb == SETTLE:
            self.unanswered.setdefault(fields["group"], []).append(fields["seq"])
            self.settled |= {(fields["group"], row[1] + i, row[0]) for row in fields["runs"] for i in range(row[2])}
        self.seen[verb] = self.seen.get(verb, 0) + 1
        self.go_on()

    def had(self, frames, before):
        """Whether the client of today has said what that message said."""
        verb, fields = head(frames)
        if verb in (BEAT, GOODBYE, LEAVE, CREDIT):
            return True
        if verb == SETTLE:
            return {(fields["group"], row[1] + i, row[0]) for row in fields["runs"] for i in range(row[2])} <= self.settled
        return self.seen.get(verb, 0) > before.get(verb, 0)

    def go_on(self):
        while self.at < len(self.script):
            whose, frames = self.script[self.at]
            before = {}
            for who, earlier in self.script[:self.at]:
                if who == "C":
                    before[head(earlier)[0]] = before.get(head(earlier)[0], 0) + 1
            if whose == "C" and not self.had(frames, before):
                return
            self.at += 1
            verb, fields = head(frames)
            if whose == "C" or verb == BEAT:
                continue
            if verb == SETTLED:
                self.settle(fields)
            else:
                self.send(self.change(frames))
            if verb == WELCOME and self.change is of_the_future:
                self.send([pack([UNKNOWN_VERB, 0, EXTRA])])

    def settle(self, fields):
        """The same settles, however many messages they are today: the last answer is for the rest."""
        left = self.unanswered[fields["group"]]
        last = not any(head(frames)[0] == SETTLED for whose, frames in self.script[self.at:])
        while left:
            self.send(self.change([pack([SETTLED, 0, dict(fields, seq=left.pop(0))])]))
            if not last:
                return

    def close(self):
        self.socket.close(0)

def patient(args):
    """The same words, with patience for a slow machine."""
    args = ["900ms" if word == "300ms" else word for word in args]  # BUSY was for a second: it offers no other time
    at = args.index("--") if "--" in args else len(args)
    return args if "--connect-timeout" in args else [*args[:at], "--connect-timeout", "80s", *args[at:]]

class OldBroadcast(OldBus):
    """A bus of that version as one that listens knows it: its WELCOME, its beats, and an XPUB."""
    def __init__(self, name):
        super().__init__()
        self.xpub = zmq.Context.instance().socket(zmq.XPUB)
        self.publish = self.welcome = None
        for _, frames in (message for step in golden(name) for message in messages_of(step)):
            verb, fields = head(frames)
            self.welcome = self.welcome or (verb == WELCOME and fields)
            self.publish = self.publish or (verb == PUBLISH and frames[1])
        port = self.xpub.bind_to_random_port("tcp://127.0.0.1")
        self.welcome["shards"] = [{**self.welcome["shards"][0], "xpub": port}]
        self.seen, self.beat_at = {}, 0

    def pump(self):
        if self.identity and time.monotonic() > self.beat_at:
            self.beat_at = time.monotonic() + 0.3
            self.send([pack([BEAT, 0, {"head": 10, "epoch": self.welcome["epoch"]}])])
        while self.socket.poll(10):
            self.identity, *frames = self.socket.recv_multipart()
            verb, _ = head(frames)
            self.seen[verb] = self.seen.get(verb, 0) + 1
            if verb == HELLO:
                self.send([pack([WELCOME, 0, self.welcome])])
        while self.xpub.poll(10):
            said = self.xpub.recv()
            if said.startswith(b"\x01$sys.probe."):
                self.xpub.send(said[1:] + pack([3, 0, 0, 0, 0, 0, 0, 0, 0]))

    def cast(self, offset, prev):
        """The first event that was published to that version once, stored at this offset."""
        topic = values(self.publish)[0][0].encode()
        self.xpub.send_multipart([topic + b"\0" + pack([1, 0, self.welcome["epoch"], offset, 1, prev, 5, 99, offset]), self.publish])

    def close(self):
        super().close()
        self.xpub.close(0)

def parsed(text):
    try:
        return [json.loads(line) for line in text.splitlines()]
    except ValueError:
        return None

class Upgrade(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="fob-test-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def old_client(self, name, change=lambda frames: frames):
        bus = Bus(FOB, self.folder)
        self.addCleanup(bus.end)
        client = OldClient(self, bus.port, change)
        for step in golden(name):
            client.play(step)

    def within(self, expected, found, where):
        """What a program of today says of the same is that, and may be more."""
        if isinstance(expected, dict):
            self.assertLessEqual(set(expected), set(found), where)
            for key in expected:
                self.within(expected[key], found[key], where)
        elif isinstance(expected, list):
            self.assertEqual(len(expected), len(found), where)
            for one, other in zip(expected, found):
                self.within(one, other, where)
        else:
            self.assertEqual(expected, found, where)

    def old_bus(self, name, change=lambda frames: frames):
        bus = OldBus(change)
        self.addCleanup(bus.close)
        for step in golden(name):
            bus.begin(step)
            process = client(FOB, patient(step["args"]), bus.port, self.folder)
            self.addCleanup(process.kill)
            process.stdin.write(step["input"].encode())
            process.stdin.close()
            deadline = time.monotonic() + PATIENCE
            while process.poll() is None:
                bus.pump()
                if time.monotonic() > deadline:
                    process.kill()
                    self.fail(f"{step['args']}: not done: said {bus.seen}, answered {bus.at} of {len(bus.script)}: "
                              f"{process.stderr.read().decode()}")
            output, news = process.stdout.read().decode(), process.stderr.read().decode()
            process.stdout.close()
            process.stderr.close()
            self.assertEqual(process.returncode, step["exit"], (step["args"], news))
            if parsed(step["output"]) is not None:
                self.within(parsed(step["output"]), parsed(output), step["args"])

    def listens_to_an_old_bus(self, name):
        """It says in one line that it cannot ask, and goes on live: what is lost is counted."""
        bus = OldBroadcast(name)
        self.addCleanup(bus.close)
        process = client(FOB, ["sub", "order.*", "-v", "--from", "earliest", "--count", "3"], bus.port, self.folder)
        self.addCleanup(process.kill)
        process.stdin.close()
        os.set_blocking(process.stderr.fileno(), False)
        deadline, news, told = time.monotonic() + PATIENCE, "", False
        while process.poll() is None:
            bus.pump()
            if "subscribed" in news and not told:
                for offset, prev in ((1, 0), (3, 2), (4, 3)):  # the one at 2 is lost
                    bus.cast(offset, prev)
                told = True
            news += (process.stderr.read() or b"").decode()
            self.assertLess(time.monotonic(), deadline, (bus.seen, news))
        news += (process.stderr.read() or b"").decode()
        offsets = [event["offset"] for event in parsed(process.stdout.read().decode())]
        process.stdout.close()
        process.stderr.close()
        self.assertEqual((process.returncode, offsets), (0, [1, 3, 4]), news)
        self.assertEqual(news.count("this bus cannot be asked for what is missing: its version is older"), 1, news)
        self.assertIn("is only counted; it may lack what was stored before", news)
        self.assertIn("1 event was lost (1 in all)", news)
        self.assertLessEqual(set(bus.seen), {HELLO, BEAT, GOODBYE})  # and it asked for nothing

    def test_this_listener_goes_on_live_with_a_bus_of_the_first_plan(self):
        self.listens_to_an_old_bus("abbbf6f")

    def test_this_listener_goes_on_live_with_a_bus_of_the_second_plan(self):
        self.listens_to_an_old_bus("b39c90c")

    def test_a_client_of_the_first_plan_works_with_this_bus(self):
        self.old_client("abbbf6f")

    def test_a_client_of_the_second_plan_works_with_this_bus(self):
        self.old_client("b39c90c")

    def test_a_client_of_a_later_version_works_with_this_bus(self):
        self.old_client("b39c90c", of_the_future)

    def test_this_client_works_with_a_bus_of_the_first_plan(self):
        self.old_bus("abbbf6f")

    def test_this_client_works_with_a_bus_of_the_second_plan(self):
        self.old_bus("b39c90c")

    def test_this_client_works_with_a_bus_of_a_later_version(self):
        self.old_bus("b39c90c", of_the_future)

if __name__ == "__main__":
    unittest.main()
