"""The Python client against a real bus: what PROTOCOL.md says is enough, and is so.

    FOB_BINARY=build/dev/bus/fob python3 -B tests/clients/test_client.py [Client.test_NAME]
"""
import collections, json, os, random, select, shutil, signal, subprocess, sys, tempfile, time, unittest
try:
    import msgpack, zmq
except ImportError as error:
    sys.exit(f"{error}: the Python client needs Debian's modules: apt install python3-zmq python3-msgpack")
import fob_client as fob
from fob_client import Link, Publisher, Worker
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from ports import free_port

SANITIZED = {"TSAN_OPTIONS", "ASAN_OPTIONS"} & os.environ.keys()
PACE = int(os.environ.get("FOB_PACE") or (4 if SANITIZED else 1))  # how many times as long a slow bus may take
PATIENCE = 90  # seconds, for what takes milliseconds on a machine that is not busy
FOB = os.environ.get("FOB_BINARY") or sys.exit("set FOB_BINARY to the program: build/dev/bus/fob")
VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../proto/vectors.json")

class Bus:
    """The real bus as a process of ours. What it says on standard error is in the file `news`."""

    def __init__(self, folder, *where, **settings):
        self.folder, self.process, self.news = folder, None, os.path.join(folder, "news")
        settings.setdefault("heartbeat", "5s")  # nobody is lost for being late: these clients are pumped in turn
        config = os.path.join(folder, "fob.config")
        with open(config, "w") as file:
            file.writelines(f"{key} = {value}\n" for key, value in settings.items())
        self.arguments = [*(where or ("--data", os.path.join(folder, "data"))), "--config", config]
        for _ in range(20):  # another test may take the port first
            self.port = free_port()
            if self.start():
                return
        raise AssertionError("no free port for the bus")

    def start(self):
        """False: its port is taken."""
        with open(self.news, "a") as news:
            self.process = subprocess.Popen([FOB, "serve", "--port", str(self.port), *self.arguments],
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=news)
        ready = select.select([self.process.stdout], [], [], PATIENCE)[0] and self.process.stdout.readline()
        if ready and b"ready" in ready:
            return True
        if not ready and self.end() == 71:
            return False
        raise AssertionError(f"the bus is not ready: {ready}, exit {self.end()}: {open(self.news).read()}")

    def end(self, how=signal.SIGTERM):
        """Its exit code, or minus the signal."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.process.stdout.close()
            with open(self.news, errors="replace") as news:
                said = news.read()
            if "Sanitizer" in said or "runtime error:" in said or "Assertion `" in said:
                sys.stderr.write(said)

    def kill_and_restart(self):
        self.end(signal.SIGKILL)
        if not self.start():
            raise AssertionError("the bus does not get its port again")

    @property
    def endpoint(self):
        return f"tcp://127.0.0.1:{self.port}"

class FakeBus:
    """A ROUTER that says what a test tells it to: for what a real bus says only when its disk is full."""

    def __init__(self, window):
        self.socket = zmq.Context.instance().socket(zmq.ROUTER)
        self.socket.set(zmq.LINGER, 0)
        self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        self.endpoint, self.window, self.heard = f"tcp://127.0.0.1:{self.port}", window, []

    def listen(self, wanted):
        """Takes what has come. True: a message of verb `wanted` is among it."""
        while self.socket.poll(0):
            self.peer, header, *body = self.socket.recv_multipart()
            verb, shard, fields = msgpack.unpackb(header)
            if verb == fob.HELLO:
                self.say(fob.WELCOME, version=1, heartbeat=20000, epoch=1, head=42, level="memory", shards=[],
                         max_event=1000, max_batch=65536, window=self.window)
            elif verb != fob.BEAT:
                self.heard.append((verb, fields, fob.values(body[0]) if body else None))
        return any(verb == wanted for verb, _, _ in self.heard)

    def say(self, verb, *body, **fields):
        self.socket.send_multipart([self.peer, msgpack.packb([verb, 0, fields]), *body])

class Asker(Link):
    """Asks the bus questions."""
    req = 0

    def ask(self, verb, **fields):
        self.until(lambda: self.up, PATIENCE)
        self.req, self.answer = self.req + 1, None
        self._send(verb, {"req": self.req, **fields})
        self.until(lambda: self.answer, PATIENCE)
        return self.answer

    def _heard(self, verb, fields, *body):
        if verb == 44 and fields["req"] == self.req:
            self.answer = fields["code"], fob.values(body[0])[0]

class Client(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="fob-client.")
        self.addCleanup(shutil.rmtree, self.folder)

    def bus(self, *where, **settings):
        bus = Bus(self.folder, *where, **settings)
        self.addCleanup(bus.end)
        return bus

    def client(self, kind, bus, *arguments, **options):
        client = kind(bus.endpoint, *arguments, **options)
        self.addCleanup(client.close)
        client.until(lambda: client.joined if kind == Worker else client.up, PATIENCE)
        return client

    def take(self, worker):
        """The next lease, within the deadline."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            lease = worker.next(0.05)
            if lease:
                return lease
        self.fail("no event came")

    def drive(self, clients, handled, condition, what):
        """Turns all clients, and acks what the workers get and counts it, until the condition holds."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                self.fail(f"{what}: not within {PATIENCE} s; {len(handled)} handled")
            for client in clients:
                lease = client.next(0.001) if isinstance(client, Worker) else client.pump(0)
                if lease:
                    handled[client, lease.offset, lease.attributes["id"]] += 1
                    client.settle(lease)

    def books(self, bus, group):
        """The group's figures. What it accepted is always somewhere."""
        code, groups = self.client(Asker, bus).ask(42, group=group)
        self.assertEqual(code, fob.OK)
        figures = groups[0]
        places = "acked", "dead", "expired", "shed", "removed", "ready", "leased", "delayed"
        self.assertEqual(figures["accepted"], sum(figures[place] for place in places))
        return figures

    def test_ten_thousand_events_are_published_each_with_a_receipt(self):
        bus = self.bus("--memory")
        publisher = self.client(Publisher, bus)
        self.assertEqual(publisher.welcome["level"], "memory")
        for number in range(1, 10001):
            self.assertEqual(publisher.publish("order_placed", msgpack.packb(number)), number)
        publisher.until(lambda: not publisher.waiting, PATIENCE)
        self.assertEqual([publisher.receipts[number][:3] for number in range(1, 10001)],
                         [(fob.OK, number, 0) for number in range(1, 10001)])

    def test_two_workers_share_a_group_and_each_event_is_handled_once(self):
        bus = self.bus()
        workers = [self.client(Worker, bus, "emails", "order_placed") for _ in range(2)]
        publisher = self.client(Publisher, bus)
        for number in range(10000):
            publisher.publish("order_placed", b"", id=f"order-{number}")
        handled = collections.Counter()
        self.drive([publisher, *workers], handled, lambda: sum(worker.settled for worker in workers) == 10000,
                             "each event is settled")
        self.assertEqual(sorted(key[2] for key in handled.elements()), sorted(f"order-{n}" for n in range(10000)))
        for worker in workers:
            offsets = [offset for client, offset, _ in handled if client is worker]
            self.assertGreater(len(offsets), 100, "both have a part of the work")
            self.assertEqual(offsets, sorted(offsets), "first hand-outs go in order")
            self.assertEqual(worker.refused, [])
        figures = self.books(bus, "emails")
        self.assertEqual((figures["accepted"], figures["acked"]), (10000, 10000))

    def test_a_bus_that_is_killed_loses_no_confirmed_event_and_stores_none_twice(self):
        bus = self.bus(heartbeat="4s")  # leases can be claimed for three: enough on a busy machine
        workers = [self.client(Worker, bus, "emails", "order_placed") for _ in range(2)]
        publisher = self.client(Publisher, bus)
        handled = collections.Counter()
        for number in range(6000):
            if number in (2000, 4000):
                self.drive([publisher, *workers], handled, lambda: any(worker.held for worker in workers), "work began")
            if number in (3000, 5000):
                self.assertTrue(publisher.waiting and any(worker.held for worker in workers), "much is under way")
                bus.kill_and_restart()
            publisher.publish("order_placed", b"", id=f"order-{number}")
        self.drive([publisher, *workers], handled, lambda: len(publisher.receipts) == 6000, "each has a receipt")
        receipts = [publisher.receipts[number] for number in range(1, 6001)]
        self.assertEqual({(receipt.code, receipt.groups) for receipt in receipts}, {(fob.OK, 1)})
        self.assertEqual([receipt.offset for receipt in receipts], list(range(1, 6001)), "in order, none twice")
        everything = [(receipt.offset, f"order-{number}") for number, receipt in enumerate(receipts)]
        self.drive(workers, handled, lambda: sum(handled.values()) == 6000 and not any(
                              worker.held for worker in workers), "each event is acked")
        self.assertEqual(self.books(bus, "emails")["acked"], 6000)
        self.assertEqual(sorted(key[1:] for key in handled.elements()), sorted(everything), "each handled once")

    def test_leases_are_claimed_after_a_restart_and_settled_under_their_tokens(self):
        bus = self.bus()
        worker, publisher = self.client(Worker, bus, "emails", "order_placed"), self.client(Publisher, bus)
        for number in range(10):
            publisher.publish("order_placed", b"", id=str(number))
        publisher.until(lambda: not publisher.waiting, PATIENCE)
        leases = [self.take(worker) for _ in range(5)]  # the other five are held, and not begun
        worker.until(lambda: len(worker.held) == 10, PATIENCE)
        held = set(worker.held)
        bus.kill_and_restart()
        worker.until(lambda: not worker.joined, PATIENCE)
        worker.until(lambda: worker.joined, PATIENCE)
        other = self.client(Worker, bus, "emails", "order_placed")
        leases += [self.take(worker) for _ in range(5)]
        self.assertEqual({lease[:2] for lease in leases}, held, "the same, under the same tokens")
        self.assertEqual({lease.attempt for lease in leases}, {1})
        for lease in leases:
            worker.settle(lease)
        worker.until(lambda: worker.settled == 10, PATIENCE)
        self.assertEqual((worker.refused, other.held), ([], {}))
        self.assertEqual(self.books(bus, "emails")["acked"], 10)

    def test_a_worker_that_beats_keeps_its_event_and_a_silent_one_loses_it(self):
        bus = self.bus("--memory", heartbeat=f"{500 * PACE}ms")
        silent, publisher = self.client(Worker, bus, "emails", "a"), self.client(Publisher, bus)
        publisher.publish("a")
        lease = self.take(silent)
        beats = []
        silent._heard, taken = lambda verb, *rest: beats.append(verb), silent._heard
        silent.until(lambda: beats.count(fob.BEAT) >= 10, PATIENCE)
        self.assertEqual(set(beats), {fob.BEAT}, "no LOST: a long handler is no lost worker")
        silent._heard = taken
        other = self.client(Worker, bus, "emails", "a")
        again = self.take(other)  # while nobody turns the first
        self.assertEqual((again.offset, again.attempt), (lease.offset, 2))
        self.assertGreater(again.token, lease.token)
        silent.settle(lease)
        other.settle(again)
        other.until(lambda: other.settled == 1, PATIENCE)
        silent.until(lambda: not silent.held, PATIENCE)
        self.assertEqual((other.refused, silent.settled), ([], 0))

    def test_what_a_worker_holds_fits_into_one_settle_and_one_join(self):
        bus = self.bus("--memory")
        worker = self.client(Worker, bus, "emails", "a", prefetch=5000)
        publisher = self.client(Publisher, bus)
        worker.until(lambda: worker.joined, PATIENCE)
        for _ in range(3600): publisher.publish("a")
        publisher.until(lambda: not publisher.waiting, PATIENCE)
        worker.until(lambda: len(worker.held) == 2400, PATIENCE)
        for lease in list(worker.held.values())[::2]: worker.settle(lease)  # none beside another: a row each
        worker.until(lambda: worker.settled == 1200, PATIENCE)
        worker.until(lambda: len(worker.held) == 2400, PATIENCE)
        worker._lose()
        worker.until(lambda: worker.joined, PATIENCE)
        self.assertEqual((len(worker.held), worker.refused), (2400, []))

    def test_a_settle_under_an_old_token_is_refused_by_name(self):
        bus = self.bus("--memory")
        worker, publisher = self.client(Worker, bus, "emails", "a"), self.client(Publisher, bus)
        publisher.publish("a")
        lease = self.take(worker)
        worker.held[lease.offset, lease.token + 1] = worker.held[99, 1] = lease  # as a client with a bug would
        worker.settle(lease._replace(token=lease.token + 1))
        worker.settle(lease._replace(offset=99, token=1))
        worker.settle(lease)
        worker.until(lambda: worker.settled == 3, PATIENCE)
        self.assertEqual([row[1:] for row in worker.refused if row[0] in (11, 12, 13)],
                         [[lease.offset, 1, lease.token + 1], [99, 1, 1]])
        self.assertEqual(self.books(bus, "emails")["acked"], 1, "all else took effect")

    def test_retry_counts_an_attempt_release_does_not_and_reject_is_the_end(self):
        bus = self.bus("--memory")
        worker, publisher = self.client(Worker, bus, "emails", "a"), self.client(Publisher, bus)
        publisher.publish("a")
        attempts = []
        for kind in fob.RELEASE, fob.RETRY, fob.REJECT:
            lease = self.take(worker)
            attempts.append(lease.attempt)
            worker.settle(lease, kind)
        worker.until(lambda: worker.settled == 3, PATIENCE)
        self.assertEqual(attempts, [1, 1, 2])
        self.assertEqual(self.books(bus, "emails")["dead"], 1)

    def test_no_more_is_delivered_than_the_credit_allows(self):
        bus = self.bus("--memory")
        worker, publisher = self.client(Worker, bus, "emails", "a", prefetch=3), self.client(Publisher, bus)
        for _ in range(20):
            publisher.publish("a")
        publisher.until(lambda: not publisher.waiting, PATIENCE)
        for settled in range(20):
            lease = self.take(worker)
            self.assertLessEqual(len(worker.held), 3)
            figures = self.books(bus, "emails")
            self.assertLessEqual(figures["leased"], 3)
            worker.settle(lease)
        worker.until(lambda: worker.settled == 20, PATIENCE)

    def test_an_event_that_breaks_a_rule_is_refused_and_the_ones_behind_it_are_taken(self):
        publisher = self.client(Publisher, self.bus("--memory"))
        publisher.publish("a")
        publisher.publish("a..b")
        publisher.publish("a", "a str for data")
        publisher.publish("a", bytes(publisher.welcome["max_event"] + 1))
        publisher.publish("a", b"", id="")
        publisher.publish("a", bytes(publisher.welcome["max_event"]))
        publisher.until(lambda: not publisher.waiting, PATIENCE)
        self.assertEqual([publisher.receipts[number][:2] for number in range(1, 7)],
                         [(fob.OK, 1), (4, 0), (6, 0), (7, 0), (6, 0), (fob.OK, 2)])

    def test_a_client_of_another_version_gets_an_error_that_names_both(self):
        bus = self.bus("--memory")
        with self.assertRaises(fob.FobError) as caught:
            self.client(Link, bus, versions=(2, 3))
        code, text, fields = caught.exception.args
        self.assertEqual((code, fields["of"], fields["version_min"], fields["version_max"]), (16, fob.HELLO, 1, 1))
        self.assertRegex(text, r"\b2 to 3\b.*\b1 to 1\b")
        self.client(Link, bus, versions=(1, 3))  # a range in common is enough

    def test_groups_are_added_listed_and_removed_by_questions(self):
        bus = self.bus("--memory")
        asker = self.client(Asker, bus)
        self.assertEqual(asker.ask(40, group="emails", pattern="a.>"), (fob.OK, None))
        self.assertEqual(asker.ask(40, group="emails", pattern="a.>"), (fob.OK, None))
        self.assertEqual(asker.ask(40, group="emails", pattern="b")[0], 9)
        self.assertEqual(asker.ask(40, group="others", pattern="a*")[0], 5)
        self.assertEqual(asker.ask(40, group="a..b", pattern="a")[0], 3)
        with self.assertRaises(fob.FobError) as caught:
            self.client(Worker, bus, "emails", "b")
        self.assertEqual(caught.exception.args[0], 9)
        self.assertEqual([(row["group"], row["pattern"]) for row in asker.ask(42)[1]], [("emails", "a.>")])
        worker = self.client(Worker, bus, "emails", "a.>")
        self.assertEqual(asker.ask(41, group="emails")[0], 10)
        worker.close()
        asker.until(lambda: asker.ask(41, group="emails") == (fob.OK, None), PATIENCE)
        self.assertEqual(asker.ask(42, group="emails")[0], 8)
        self.assertEqual(asker.ask(43)[1]["bus"]["level"], "memory")

    def test_a_subscriber_is_live_after_its_probe_and_sees_each_event_once(self):
        bus = self.bus("--memory")
        ports = self.client(Link, bus).welcome["shards"][0]
        sub = zmq.Context.instance().socket(zmq.SUB)
        self.addCleanup(sub.close, 0)
        probe = f"$sys.probe.{random.getrandbits(64):016x}".encode() + b"\0"
        sub.subscribe(b"shop.")
        sub.subscribe(probe)
        sub.connect(f"tcp://127.0.0.1:{ports['xpub']}")
        self.assertTrue(sub.poll(PATIENCE * 1000), "the probe is answered")
        frames = sub.recv_multipart()
        self.assertEqual((frames[0].startswith(probe), len(frames)), (True, 1))
        self.assertEqual(fob.values(frames[0][len(probe):])[0][0], 3)
        publisher = self.client(Publisher, bus)
        for number in range(300):
            publisher.publish(("shop.eu", "shops", "shop.us")[number % 3], b"", id=str(number))
        publisher.until(lambda: not publisher.waiting, PATIENCE)
        seen, expected, last = [], {}, {}
        while len(seen) < 200:
            self.assertTrue(sub.poll(PATIENCE * 1000), f"only {len(seen)} came")
            head, body = sub.recv_multipart()
            topic, _, numbers = head.partition(b"\0")
            kind, shard, epoch, offset, count, prev, stored, source, seq = fob.values(numbers)[0][:9]
            events = fob.values(body)
            self.assertEqual((kind, shard, count), (1, 0, len(events)))
            self.assertEqual(seq, expected.get((source, topic), seq), "nothing was lost or repeated")
            self.assertEqual(prev, last.get(topic, 0))
            expected[source, topic], last[topic] = seq + count, offset + count - 1
            seen += [(offset + i, event[0], event[1]["id"]) for i, event in enumerate(events)]
        self.assertEqual(sorted(seen), [(number + 1, ("shop.eu", "shops", "shop.us")[number % 3], str(number))
                                        for number in range(300) if number % 3 != 1])

    def test_what_was_busy_is_offered_again_under_its_old_number_and_not_before_its_time(self):
        fake = FakeBus(window=4)
        self.addCleanup(fake.socket.close)
        publisher = Publisher(fake.endpoint)
        self.addCleanup(publisher.close)
        publisher.until(lambda: fake.listen(None) or publisher.up, PATIENCE)
        for topic in "abab":
            publisher.publish(topic)
        publisher.until(lambda: fake.listen(fob.PUBLISH) and sum(len(body) for _, _, body in fake.heard) == 4, PATIENCE)
        with self.assertRaises(fob.FobError, msg="four are under way: the window is full"):
            publisher.until(lambda: publisher.number + 1 < publisher._low() + publisher.welcome["window"], 0)
        fake.heard.clear()
        said, wait = time.monotonic(), {"retry_after": 300}
        fake.say(fob.RECEIPT, runs=[[2, 1, 1, 0, 0, wait], [0, 2, 1, 43, 1], [2, 3, 1, 0, 0, wait], [0, 4, 1, 44, 1]])
        publisher.until(lambda: fake.listen(fob.PUBLISH) and len(fake.heard) == 2, PATIENCE)
        self.assertGreaterEqual(time.monotonic() - said, 0.3)
        self.assertEqual(fake.heard, [(fob.PUBLISH, {"first": first, "low": 1}, [["a", {}, b""]]) for first in (1, 3)])
        fake.say(fob.RECEIPT, runs=[[0, 1, 1, 45, 1], [0, 3, 1, 46, 1]])
        publisher.until(lambda: not publisher.waiting, PATIENCE)
        self.assertEqual([publisher.receipts[number].offset for number in range(1, 5)], [45, 43, 46, 44])

    def test_a_full_group_holds_up_its_topic_and_no_other(self):
        bus = self.bus("--memory", max_depth=3)
        asker, publisher = self.client(Asker, bus), self.client(Publisher, bus)
        self.assertEqual(asker.ask(40, group="full", pattern="a")[0], fob.OK)
        for topic in "aaabaabab":
            publisher.publish(topic)
        publisher.until(lambda: {1, 2, 3, 4, 7, 9} <= set(publisher.receipts), PATIENCE)
        self.assertEqual(sorted(publisher.waiting), [5, 6, 8])
        worker = self.client(Worker, bus, "full", "a")
        handled = []
        while len(handled) < 6:
            publisher.pump(0)
            lease = worker.next(0.05)
            if lease:
                handled.append(lease.offset)
                worker.settle(lease)
        publisher.until(lambda: not publisher.waiting, PATIENCE)
        self.assertTrue(all(receipt.code == fob.OK for receipt in publisher.receipts.values()))
        self.assertEqual([publisher.receipts[number].offset for number in (1, 2, 3, 5, 6, 8)], handled)
        self.assertEqual(handled, sorted(handled))

    def test_the_same_id_is_stored_once_also_over_a_kill(self):
        bus = self.bus()
        publisher = self.client(Publisher, bus)
        first = publisher.publish("a", b"x", id="order-1")
        publisher.until(lambda: first in publisher.receipts, PATIENCE)
        bus.kill_and_restart()
        again, other = self.client(Publisher, bus), {}
        for name, data in ("same", b"x"), ("differs", b"y"):
            other[name] = again.publish("a", data, id="order-1")
        again.until(lambda: len(again.receipts) == 2, PATIENCE)
        place = publisher.receipts[first].offset
        self.assertEqual(again.receipts[other["same"]], (fob.OK, place, 0, {"duplicate": True}))
        self.assertEqual(again.receipts[other["differs"]], (fob.OK, place, 0, {"duplicate": True, "differs": True}))

    def test_a_settle_is_the_one_of_the_page_and_is_sent_again_after_its_leases_are_claimed(self):
        fake = FakeBus(window=4)
        self.addCleanup(fake.socket.close)
        worker = Worker(fake.endpoint, "emails", "order_placed")
        self.addCleanup(worker.close)
        worker.until(lambda: fake.listen(fob.JOIN), PATIENCE)
        self.assertEqual(fake.heard.pop()[1], {"group": "emails", "pattern": "order_placed", "create": True,
                                               "jobs": 1, "credit": 100, "runs": []})
        fake.say(fob.JOINED, group="emails", code=0, created=True)
        fake.say(fob.DELIVER, 3 * msgpack.packb(["order_placed", {}, b""]), group="emails",
                 runs=[[43, 3, 7, 1, 1700000000123]])
        leases = [self.take(worker) for _ in range(3)]
        self.assertEqual([lease[:4] for lease in leases],
                         [(offset, offset - 36, 1, 1700000000123) for offset in (43, 44, 45)])
        for lease in leases:
            worker.settle(lease)
        worker.until(lambda: fake.listen(fob.SETTLE), PATIENCE)
        runs = [[fob.ACK, 43, 3, 7]]
        self.assertEqual(fake.heard.pop()[1], {"group": "emails", "seq": 1, "runs": runs, "credit": 100})
        fake.say(fob.GOODBYE, text="the bus stops", retry_after=1)
        worker.until(lambda: fake.listen(fob.JOIN), PATIENCE)
        self.assertEqual(fake.heard.pop()[1]["runs"], [[43, 3, 7]])
        fake.say(fob.JOINED, group="emails", code=0, refused=[[12, 44, 1, 8]])
        worker.until(lambda: fake.listen(fob.SETTLE), PATIENCE)
        self.assertEqual(fake.heard.pop()[1]["runs"], [[fob.ACK, 43, 1, 7], [fob.ACK, 45, 1, 9]])
        fake.say(fob.SETTLED, group="emails", seq=1)
        worker.until(lambda: worker.settled == 2 and not worker.held, PATIENCE)

    def test_the_client_reads_and_writes_the_golden_vectors(self):
        with open(VECTORS) as file:
            vectors = json.load(file)
        packed, sent = lambda value: msgpack.packb(value, unicode_errors="surrogateescape").hex(), 0
        for vector in vectors["headers"]:
            if vector["status"] == "OK":
                verb, shard, fields = fob.values(bytes.fromhex(vector["hex"]))[0][:3]
                self.assertEqual((verb, shard), (vector["number"], vector["shard"]), vector["name"])
                if vector["canonical"]:
                    self.assertEqual(packed([verb, shard, fields]), vector["hex"], vector["name"])
                    sent += 1
        for vector in vectors["events"]:
            if vector["status"] == "OK":
                topic, attributes, data = fob.values(bytes.fromhex(vector["hex"]))[0][:3]
                self.assertEqual((topic, data.hex()), (vector["event"]["topic"], vector["event"]["data_hex"]))
                if vector["canonical"]:
                    self.assertEqual(packed([topic, attributes, data]), vector["hex"], vector["name"])
                    sent += 1
        self.assertGreater(sent, 30)
        self.assertEqual({entry["verb"]: entry["number"] for entry in vectors["verbs"] if hasattr(fob, entry["verb"])},
                         {entry["verb"]: getattr(fob, entry["verb"]) for entry in vectors["verbs"]
                          if hasattr(fob, entry["verb"])})
        for entry in vectors["codes"]:
            self.assertEqual(getattr(fob, entry["name"], entry["code"]), entry["code"])

if __name__ == "__main__":
    unittest.main()
