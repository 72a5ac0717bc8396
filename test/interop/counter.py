"""An application in Python, as docs/application-protocol.md describes the wire: counts transactions, keeps its last answer."""
import hashlib
import os
import socket
import struct
import sys
import msgpack

GREETING, REFUSAL, INFO, INIT, CHECK, BLOCK, QUERY, PART, ANSWER, FAILURE, RESULTS = 1, 2, 16, 17, 18, 19, 20, 32, 48, 49, 50
state = {"height": 0, "count": 0, "last": None}
app_hash = lambda: hashlib.sha256(b"counter %d" % state["count"]).digest()


def read(stream):
    head = stream.read(4)
    if len(head) < 4:
        return None
    return msgpack.unpackb(stream.read(struct.unpack(">I", head)[0]))


def send(stream, kind, number, body):
    payload = msgpack.packb([kind, number, body])
    stream.write(struct.pack(">I", len(payload)) + payload)


def execute(stream, number, height, transactions):
    if height != state["height"]:
        logs = [f"number {state['count'] + index + 1}" for index in range(len(transactions))]
        state.update(height=height, count=state["count"] + len(transactions))
        results = [[0, b"", log, "", 0, 0, [["counted", [["log", log, True]]]]] for log in logs]
        state["last"] = (results, [[], [], app_hash()])
    results, tail = state["last"]
    for at in range(0, len(results), 1000):
        send(stream, RESULTS, number, results[at : at + 1000])
    send(stream, ANSWER, number, tail)


def serve(stream):
    head, given = None, []
    while (frame := read(stream)) is not None:
        kind, number, body = frame
        if kind == GREETING:
            send(stream, GREETING, 0, ["althing-application", 2, []])
        elif kind == INFO:
            send(stream, ANSWER, number, ["counter", "py", state["height"], app_hash(), False])
        elif kind == INIT:
            state.update(height=0, count=0, last=None)
            send(stream, ANSWER, number, app_hash())
        elif kind == CHECK:
            send(stream, ANSWER, number, [0 if len(body) < 100 else 1, "", "", 0, None])
        elif kind == QUERY:
            send(stream, ANSWER, number, [0, "", "", body[1], b"%d" % state["count"], state["height"]])
        elif kind in (BLOCK, PART):
            head, given = (body, []) if kind == BLOCK else (head, given + body)
            if len(given) == head[7]:
                execute(stream, number, head[0], given)
        else:
            send(stream, FAILURE, number, f"no request of kind {kind} is known here")
        stream.flush()


server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
print("listening", flush=True)
while True:
    with server.accept()[0] as connection, connection.makefile("rwb") as stream:
        serve(stream)
