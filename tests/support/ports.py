"""Ports for a bus of a test's own."""
import random, socket

def free_port():
    """The first of three neighbours, below what the system gives to connections."""
    while True:
        port = random.randrange(10000, 32000)
        try:
            for neighbour in range(3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + neighbour))
            return port
        except OSError:
            pass
