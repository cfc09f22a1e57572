"""record.py PROGRAM NAME FILE [first]: runs clients of a program against its own bus, with a go-between that writes down
what passes. `first`: a program that knows the first life only. Made once for each version, and never anew."""
import json, subprocess, sys, tempfile, time, zmq
from wire import *

class GoBetween:
    def __init__(self, port):
        self.context, self.port, self.peers, self.messages = zmq.Context(), free_port(), {}, []
        self.front = self.context.socket(zmq.ROUTER)
        self.front.bind(f"tcp://127.0.0.1:{self.port}")
        self.behind = port

    def peer(self, identity):
        if identity not in self.peers:
            self.peers[identity] = self.context.socket(zmq.DEALER)
            self.peers[identity].connect(f"tcp://127.0.0.1:{self.behind}")
        return self.peers[identity]

    def note(self, whose, frames):
        self.messages.append([whose, *(frame.hex() for frame in frames)])

    def pass_on(self, wait):
        zmq.select([self.front, *self.peers.values()], [], [], wait)
        while self.front.get(zmq.EVENTS) & zmq.POLLIN:
            identity, *frames = self.front.recv_multipart()
            self.note("C", frames)
            self.peer(identity).send_multipart(frames)
        for identity, peer in list(self.peers.items()):
            while peer.get(zmq.EVENTS) & zmq.POLLIN:
                frames = peer.recv_multipart()
                self.note("B", frames)
                self.front.send_multipart([identity, *frames])

    def end_step(self):
        for peer in self.peers.values():
            peer.close(0)
        self.peers, taken, self.messages = {}, self.messages, []
        return taken

def main(program, name, path, life):
    steps = []
    with tempfile.TemporaryDirectory() as folder:
        bus = Bus(program, folder)
        between = GoBetween(bus.port)
        for args, text in life:
            if text is None:
                continue
            process = client(program, args, between.port, folder)
            process.stdin.write(text.encode())
            process.stdin.close()
            while process.poll() is None:
                between.pass_on(0.02)
            for _ in range(5):  # its GOODBYE
                between.pass_on(0.02)
            steps.append({"args": args, "input": text, "exit": process.returncode, "output": process.stdout.read().decode(),
                          "messages": between.end_step()})
            print(process.returncode, *args, process.stderr.read().decode().strip(), sep=" ")
        bus.end()
    with open(path, "w") as file:
        json.dump({"program": name, "steps": steps}, file, indent=0)
        file.write("\n")

main(*sys.argv[1:4], FIRST_LIFE if sys.argv[4:] == ["first"] else SECOND_LIFE)
