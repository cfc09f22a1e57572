"""A client of the fob bus, written from proto/PROTOCOL.md alone: it shows that the page is enough.

All goes on inside `pump` and what calls it (`until`, `publish`, `next`). Call it once a beat at
least, also while you handle an event: it connects, sends what is due, takes what came.
"""
import collections, contextlib, io, os, random, time, msgpack, zmq

HELLO, WELCOME, BEAT, GOODBYE, ERROR, PUBLISH, RECEIPT = 1, 2, 3, 4, 5, 10, 11
JOIN, JOINED, LEAVE, CREDIT, DELIVER, SETTLE, SETTLED, LOST = range(20, 28)
OK, BUSY, DEADLINE, DISK_FULL, HELLO_FIRST, LIMIT, GAP = 0, 2, 15, 21, 30, 31, 32
ACK, RETRY, RELEASE, REJECT = 1, 2, 3, 4
Receipt = collections.namedtuple("Receipt", "code offset groups details")
Lease = collections.namedtuple("Lease", "offset token attempt time topic attributes data")
class FobError(Exception): pass  # its arguments: a code, a sentence, and the fields of an ERROR

def values(frame):  # all of them, one after the other
    return list(msgpack.Unpacker(io.BytesIO(frame), unicode_errors="surrogateescape"))

def ranges(leases):  # (kind, offset, token) in rows [kind, offset, count, token]
    rows = []
    for kind, offset, token in sorted(leases, key=lambda lease: lease[1]):
        last = rows[-1] if rows else [None, 0, 0, 0]
        if [kind, offset, token] == [last[0], last[1] + last[2], last[3] + last[2]]: last[2] += 1
        else: rows.append([kind, offset, 1, token])
    return rows

class Link:
    """The connection: HELLO, beats, and a new socket with a new HELLO whenever it fails."""
    role, up, socket, welcome = "admin", False, None, {"heartbeat": 1000}
    retry_at, pause, heard, said, sure = 0.0, 0.02, 0.0, 0.0, 0.0
    _welcomed = _send_due = _heard = lambda *what: None  # for those who do more

    def __init__(self, endpoint, versions=(1, 1)):
        self.endpoint, self.versions, self.session = endpoint, versions, os.urandom(16)
        self.sent = {BEAT: 0.0}  # when, by verb

    def until(self, condition, timeout=30):
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                raise FobError(DEADLINE, f"not within {timeout} s; the connection is up: {self.up}")
            self.pump(0.05)

    def pump(self, wait):
        """Waits at most `wait` seconds for something to come."""
        now, beat = time.monotonic(), self.welcome["heartbeat"] / 1000
        if not self.socket and now < self.retry_at: return time.sleep(min(wait, 0.02))
        if not self.socket: self._open(now)
        if now - self.heard > (3 * beat if self.up else 1): return self._lose()
        if self.up: self._send_due(now)
        if self.up and now - self.sent[BEAT] > beat / 2: self._send(BEAT, {"echo": int(now * 1000)})
        zmq.select([self.socket, self.monitor], [], [], min(wait, beat / 4))
        lost = self.monitor.get(zmq.EVENTS) & zmq.POLLIN  # known at once, not after three beats
        while self.socket and self.socket.get(zmq.EVENTS) & zmq.POLLIN:
            head, *body = self.socket.recv_multipart()
            self.heard = time.monotonic()
            self._take(*values(head)[0][0:3:2], *body)  # verb and fields: there is one shard
        if lost: self._lose()

    def close(self):
        if self.up: self._send(GOODBYE, {})
        self._lose()

    def _open(self, now):
        self.socket, self.heard = zmq.Context.instance().socket(zmq.DEALER), now
        for option in (zmq.RECONNECT_IVL, -1), (zmq.LINGER, 1000), (zmq.SNDHWM, 0), (zmq.RCVHWM, 0):
            self.socket.set(*option)  # no high-water mark: window and credit are the limits
        self.monitor = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED)
        self.socket.connect(self.endpoint)
        self._send(HELLO, {"version_min": self.versions[0], "version_max": self.versions[1],
                           "role": self.role, "client": "fob_client.py/1", "session": self.session})

    def _lose(self, retry_after=0):
        if self.socket:
            self.socket.disable_monitor()
            for ended in self.monitor, self.socket: ended.close()
        self.socket, self.up, self.pause = None, False, min(1.0, 2 * self.pause)
        self.retry_at = time.monotonic() + max(retry_after / 1000, self.pause * random.random())

    def _send(self, verb, fields, *body):
        with contextlib.suppress(zmq.Again):  # lost: the monitor will tell
            self.socket.send_multipart([msgpack.packb([verb, 0, fields]), *body], zmq.DONTWAIT)
        self.said = self.sent[verb] = time.monotonic()

    def _take(self, verb, fields, *body):
        echoes = verb == WELCOME or "echo" in self.welcome.get("caps", ())  # else: a bus of before
        self.sure = fields.get("echo", 0) / 1000 or (self.sure if echoes else self.heard)
        if verb == WELCOME:
            self.up, self.welcome, self.pause, self.sure = True, fields, 0.02, self.sent[HELLO]
            self._welcomed()
        elif verb == GOODBYE or verb == ERROR and fields["code"] in (HELLO_FIRST, LIMIT):
            self._lose(fields.get("retry_after", 0))
        elif verb == ERROR:
            self._lose()
            raise FobError(fields["code"], fields["text"], {"here": self.versions, **fields})
        else:
            self._heard(verb, fields, *body)

class Publisher(Link):
    """Offers each event until it has its receipt: receipts[number], for the application to take."""
    role, number, cursor, hold = "publisher", 0, 1, 0.0  # number given last, sent next; BUSY until

    def __init__(self, endpoint, **options):
        super().__init__(endpoint, **options)
        self.waiting, self.receipts = {}, {}  # by number: events without receipt; receipts

    def publish(self, topic, data=b"", **attributes):
        """Gives the event's number. A lone event goes at once, others in batches or with `pump`."""
        self.until(lambda: self.up and self.number + 1 < self._low() + self.welcome["window"])
        self.number += 1
        self.waiting[self.number] = msgpack.packb([topic, attributes, data])
        if len(self.waiting) == 1 or self.number - self.cursor >= 256: self.pump(0)
        return self.number

    def _low(self): return next(iter(self.waiting), self.number + 1)

    def _welcomed(self): self.cursor, self.hold = self._low(), 0.0  # all without receipt, in order

    def _send_due(self, now):
        low, end = self._low(), min(self.number + 1, self._low() + self.welcome["window"])
        while now >= self.hold and self.cursor < end:
            first, body, event = self.cursor, b"", self.waiting.get(self.cursor)
            while event and self.cursor < end and (not body or len(body + event) <= 65536):
                body, self.cursor = body + event, self.cursor + 1
                event = self.waiting.get(self.cursor)
            if body: self._send(PUBLISH, {"first": first, "low": low}, body)
            else: self.cursor += 1  # it has its receipt, while one before it was BUSY

    def _heard(self, verb, fields, *body):
        for row in fields["runs"] if verb == RECEIPT else ():
            code, first, count, offset, groups, details = (row + [{}])[:6]
            for number in filter(self.waiting.__contains__, range(first, first + count)):
                if code in (BUSY, DISK_FULL, GAP):  # receipts come in order: it is the lowest one
                    retry_after = 0 if code == GAP else details.get("retry_after", 1000)
                    self.cursor, self.hold = self._low(), time.monotonic() + retry_after / 1000
                else:  # final, as are codes not known here
                    place = offset + number - first if code == OK else 0
                    self.receipts[number] = Receipt(code, place, groups, details)
                    del self.waiting[number]

class Worker(Link):
    """Works a group: `next` gives a lease to handle, `settle` ends it."""
    role, joined, settled = "worker", False, 0

    def __init__(self, endpoint, group, pattern, jobs=1, prefetch=100, **options):
        super().__init__(endpoint, **options)
        self.group, self.pattern, self.jobs = group, pattern, jobs
        self.prefetch = min(prefetch, 2400)  # so that all rows fit into a JOIN, and into a SETTLE
        self.held, self.ready = {}, collections.deque()  # Lease by (offset, token); not yet begun
        self.done, self.told, self.refused = [], {}, []  # to settle; settling, by seq; refused rows

    def next(self, wait):
        """A lease; or None: none came in `wait` seconds, or the bus may not hear us; call again."""
        if time.monotonic() - self.said > 0.005: self.pump(0)  # till then settles make ranges
        sure = self.up and time.monotonic() - self.sure < 1.75 * self.welcome["heartbeat"] / 1000
        if self.ready and self.joined and sure: return self.held.get(self.ready.popleft())
        return self.pump(wait)

    def settle(self, lease, kind=ACK): self.done.append((kind, lease.offset, lease.token))

    def _welcomed(self):
        self.joined = False  # until JOINED has said which leases are still ours
        self.done, self.told = sum(self.told.values(), []) + self.done, {}
        self.seq, self.delivered, self.credit = 0, 0, self.prefetch - len(self.held)
        claims = [row[1:] for row in ranges((0, *lease) for lease in self.held)]
        self._send(JOIN, {"group": self.group, "pattern": self.pattern, "create": True,
                          "jobs": self.jobs, "credit": self.credit, "runs": claims})

    def _send_due(self, now):
        done = [row for row in self.done if row[1:] in self.held]
        credit = self.delivered + self.prefetch - len(self.held)
        fields = {"group": self.group, "credit": credit}
        if not self.joined or not done and credit - self.credit < max(1, self.prefetch // 2): return
        self.credit = credit
        if not done: return self._send(CREDIT, fields)
        self.seq, self.done = self.seq + 1, []
        self.told[self.seq] = done
        self._send(SETTLE, {**fields, "seq": self.seq, "runs": ranges(done)})

    def _heard(self, verb, fields, *body):
        if verb == JOINED and fields["code"]: raise FobError(fields["code"], fields.get("text", ""))
        if verb == JOINED:
            self.joined = True
            self._drop(row[1:] for row in fields.get("refused", []))
        elif verb == DELIVER:
            events = iter(values(*body))
            for offset, count, token, attempt, stored, *_ in fields["runs"]:
                self.delivered += count
                for key in zip(range(offset, offset + count), range(token, token + count)):
                    self.held[key] = Lease(*key, attempt, stored, *next(events)[:3])
                    self.ready.append(key)
        elif verb == SETTLED:
            self.refused += fields.get("refused", [])
            self.settled += len(self.told[fields["seq"]])
            self._drop([offset, 1, token] for _, offset, token in self.told.pop(fields["seq"]))
        elif verb == LOST: self._drop(fields["runs"])

    def _drop(self, rows):
        for offset, count, token, *_ in rows:
            for i in range(count): self.held.pop((offset + i, token + i), None)
