"""The applications of the tests: servers and clients that run inside a namespace.

`traffic.py serve NAME ...` answers until it is stopped; `traffic.py call FUNCTION [JSON]` runs one
client function, its arguments given as JSON there or on stdin, and prints its result as
JSON. Standard library only; no import from the tests.
"""

import asyncio
import hashlib
import json
import random
import resource
import socket
import struct
import sys
import threading
import time

BLOCK = 1 << 18


def stream(seed, size):
    """Yields `size` bytes that depend on the seed and differ from block to block."""
    block = random.Random(seed).randbytes(BLOCK)
    sent = 0
    while sent < size:
        turn = (sent // BLOCK * 7919) % BLOCK
        piece = block[turn:] + block[:turn]
        yield memoryview(piece)[: min(BLOCK, size - sent)]
        sent += BLOCK


def digest_of_stream(seed, size):
    digest = hashlib.sha256()
    for piece in stream(seed, size):
        digest.update(piece)
    return digest.hexdigest()


def receive_digest(connection, size):
    digest = hashlib.sha256()
    buffer = bytearray(BLOCK)
    left = size
    while left:
        count = connection.recv_into(buffer, min(BLOCK, left))
        if count == 0:
            raise EOFError(f"connection closed with {left} of {size} bytes to come")
        digest.update(memoryview(buffer)[:count])
        left -= count
    return digest.hexdigest()


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listener(port, kind=socket.SOCK_STREAM, protocol=0):
    """A socket of both families on every address."""
    made = socket.socket(socket.AF_INET6, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(("::", port))
    if kind == socket.SOCK_STREAM:
        made.listen(1024)
    return made


# ---- servers -----------------------------------------------------------------------------------


def serve_bulk(port):
    """One request per connection: a line "SEED SIZE", SIZE bytes each way, digests compared."""

    def answer(connection):
        with connection:
            reader = connection.makefile("rb", buffering=0)
            line = b""
            while not line.endswith(b"\n"):
                byte = reader.read(1)
                if not byte:
                    return
                line += byte
            seed, size = map(int, line.split())
            connection.sendall(receive_digest(connection, size).encode())
            for piece in stream(seed + 1, size):
                connection.sendall(piece)

    server = listener(port)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def shown(address):
    host = address[0]
    return host[7:] if host.startswith("::ffff:") else host


async def serve_lines(name, port):
    """Answers each line with "NAME CLIENT-ADDRESS LINE"."""

    async def answer(reader, writer):
        peer = shown(writer.get_extra_info("peername"))
        try:
            while line := await reader.readline():
                writer.write(f"{name} {peer} ".encode() + line)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, sock=listener(port), backlog=1024)
    await server.serve_forever()


def serve_udp(name, port):
    """Answers each datagram with "NAME CLIENT-ADDRESS DATAGRAM"."""
    server = listener(port, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    while True:
        data, peer = server.recvfrom(65536)
        server.sendto(f"{name} {shown(peer)} ".encode() + data, peer)


def serve(name, lines, udp, bulk):
    """Starts one server for each port that is not 0 and never returns."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if bulk:
        threading.Thread(target=serve_bulk, args=(bulk,), daemon=True).start()
    if udp:
        threading.Thread(target=serve_udp, args=(name, udp), daemon=True).start()
    asyncio.run(serve_lines(name, lines))


# ---- clients -----------------------------------------------------------------------------------


def bulk(address, port, size, seed=1, timeout=60):
    """Moves `size` bytes each way; returns whether both arrived whole, and the seconds taken."""
    with socket.create_connection((address, port), timeout) as connection:
        started = time.monotonic()
        connection.sendall(f"{seed} {size}\n".encode())
        for piece in stream(seed, size):
            connection.sendall(piece)
        theirs = b""
        while len(theirs) < 64:
            piece = connection.recv(64 - len(theirs))
            if not piece:
                raise EOFError("closed before the digest")
            theirs += piece
        back = receive_digest(connection, size)
        seconds = time.monotonic() - started
    return {
        "sent_whole": theirs.decode() == digest_of_stream(seed, size),
        "received_whole": back == digest_of_stream(seed + 1, size),
        "seconds": round(seconds, 3),
    }


def ask(address, port, count=1, timeout=3, source_port=0):
    """Connects `count` times, one after the other; returns [[server, our address as seen]]."""
    answers = []
    for _ in range(count):
        source = ("", source_port) if source_port else None
        with socket.create_connection((address, port), timeout, source) as connection:
            connection.settimeout(timeout)
            connection.sendall(b"hello\n")
            answers.append(connection.makefile().readline().split()[:2])
    return answers


def ask_udp(address, port, count=1, timeout=1, size=32, source_port=0, new_socket=True, gap=0):
    """Sends `count` datagrams, each answered before the next; retries one once.

    Returns {"answers": [[server, our address as seen]], "lost": n, "damaged": n}.
    """
    answers, lost, damaged = [], 0, 0
    client = None
    for number in range(count):
        if client is None or new_socket:
            client = socket.socket(family_of(address), socket.SOCK_DGRAM)
            client.settimeout(timeout)
            if source_port:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                client.bind(("", source_port))
            client.connect((address, port))
        data = random.Random(number).randbytes(size)
        try:
            client.send(data)
            reply = client.recv(65536)
        except (TimeoutError, ConnectionRefusedError):
            lost += 1
            continue
        server, seen, back = reply.split(b" ", 2)
        damaged += back != data
        answers.append([server.decode(), seen.decode()])
        time.sleep(gap)
    return {"answers": answers, "lost": lost, "damaged": damaged}


def ask_udp_at_once(address, port, count, size, timeout=2):
    """Hands the kernel `count` datagrams of `size` bytes in one piece (UDP_SEGMENT); counts lost
    and damaged answers."""
    sent = [random.Random(number).randbytes(size) for number in range(count)]
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        client.setsockopt(socket.IPPROTO_UDP, 103, size)
        client.connect((address, port))
        client.send(b"".join(sent))
        back = set()
        try:
            while len(back) < count:
                back.add(client.recv(65536).split(b" ", 2)[2])
        except TimeoutError:
            pass
    return {"lost": count - len(back), "damaged": len(back - set(sent))}


def ask_in_frames(interface, datagrams, source_port, timeout=2):
    """Sends datagrams, each a list of frames (hex) made beforehand and answered before the next.

    Returns [[server, our address as seen, the datagram's SHA-256]], empty if no answer came.
    """
    answers = []
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        client.settimeout(timeout)
        client.bind(("::", source_port))
        for frames in datagrams:
            send_frames(interface, frames)
            try:
                server, seen, back = client.recv(65536).split(b" ", 2)
                digest = hashlib.sha256(back).hexdigest()
                answers.append([server.decode(), seen.decode(), digest])
            except TimeoutError:
                answers.append([])
    return answers


def talk(address, port, seconds):
    """One connection, each request sent once the last is answered; returns the answers' times."""
    answers = []
    until = time.monotonic() + seconds
    with socket.create_connection((address, port), timeout=3) as client:
        client.settimeout(seconds)
        lines = client.makefile("r")
        while time.monotonic() < until:
            client.sendall(b"request\n")
            try:
                if not lines.readline():
                    break
            except OSError:
                break
            answers.append(time.monotonic())
            time.sleep(0.02)
    return answers


def refused(address, port, protocol="tcp", timeout=3):
    """Returns {"how": "refused" | "timeout" | "unreachable" | "answered", "seconds": s}."""
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    started = time.monotonic()
    how = "answered"
    with socket.socket(family_of(address), kind) as client:
        client.settimeout(timeout)
        try:
            client.connect((address, port))
            if protocol == "udp":
                client.send(b"hello")
                client.recv(100)
        except ConnectionRefusedError:
            how = "refused"
        except TimeoutError:
            how = "timeout"
        except OSError:
            how = "unreachable"
    return {"how": how, "seconds": round(time.monotonic() - started, 3)}


async def _one_request(address, port, timeout, result):
    started = time.monotonic()
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(address, port)
            writer.write(b"request\n")
            answer = (await reader.readline()).split()
            writer.close()
            await writer.wait_closed()
        if len(answer) != 3 or answer[2] != b"request":
            raise ConnectionError(f"answer {answer!r}")
        server = answer[0].decode()
        result["servers"][server] = result["servers"].get(server, 0) + 1
        result["done"] += 1
    except (OSError, TimeoutError) as error:
        result["failures"].append(f"{type(error).__name__}: {error}")
    result["slowest"] = max(result["slowest"], time.monotonic() - started)


async def _long_connection(address, port, until, result):
    """One connection for the whole run: every answer must come from the same server."""
    reader, writer = await asyncio.open_connection(address, port)
    first = None
    try:
        while time.monotonic() < until:
            writer.write(b"request\n")
            async with asyncio.timeout(5):
                answer = (await reader.readline()).split()
            server = answer[0].decode() if answer else "closed"
            first = first or server
            if server != first:
                result["moved"].append(f"{first} -> {server}")
                break
            result["held_requests"] += 1
            await asyncio.sleep(0.1)
    except (OSError, TimeoutError) as error:
        result["moved"].append(f"{first}: {type(error).__name__}: {error}")
    writer.close()


def load(address, port, clients, held, seconds, pause):
    """`clients` that connect anew for each request beside `held` connections that stay."""
    result = {"done": 0, "failures": [], "servers": {}, "moved": [], "held_requests": 0,
              "slowest": 0.0}

    async def repeat(number, until):
        await asyncio.sleep(pause * number / clients)
        while time.monotonic() < until:
            await _one_request(address, port, 5, result)
            await asyncio.sleep(pause)

    async def everything():
        until = time.monotonic() + seconds
        await asyncio.gather(
            *(repeat(number, until) for number in range(clients)),
            *(_long_connection(address, port, until, result) for _ in range(held)),
        )

    asyncio.run(everything())
    result["failed"] = len(result["failures"])
    result["failures"] = result["failures"][:5]
    result["slowest"] = round(result["slowest"], 3)
    return result


def send_frames(interface, frames):
    """Sends Ethernet frames (hex) as they are; returns how many the kernel took."""
    sent = 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((interface, 0))
        for number, frame in enumerate(frames):
            try:
                sent += raw.send(bytes.fromhex(frame)) > 0
            except OSError:
                pass  # shorter than an Ethernet header, or longer than the interface takes
            if number % 64 == 63:
                time.sleep(0.002)
    return sent


def repeat_frame(interface, frame, seconds):
    """Sends one frame (hex) again and again, some thousands a second; how many the kernel took."""
    data, sent, end = bytes.fromhex(frame), 0, time.monotonic() + seconds
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((interface, 0))
        while time.monotonic() < end:
            for _ in range(8):
                try:
                    sent += raw.send(data) > 0
                except OSError:
                    pass  # the queue is full for a moment
            time.sleep(0.001)
    return sent


def _tcp_frame(head, source, target, source_port, port, flags):
    """A TCP segment without payload; its TCP checksum is not checked on the way."""
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0x4000, 64, 6, 0, source, target)
    total = sum(struct.unpack("!10H", ip))
    total = (total & 0xFFFF) + (total >> 16)
    total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    ip = ip[:10] + struct.pack("!H", total) + ip[12:]
    return head + ip + struct.pack("!HHIIBBHHH", source_port, port, 1, 1, 0x50, flags, 65535, 0, 0)


def flood_tcp(interface, source_mac, target_mac, sources, target, port, count, endpoint=None):
    """Sends `count` SYNs from invented ports of each of `sources` in turn, as fast as possible.
    With `endpoint` (address, port), a SYN-ACK from it and an ACK follow each. Returns frames sent.
    """
    head = bytes.fromhex((target_mac + source_mac).replace(":", "")) + b"\x08\x00"
    packed = [socket.inet_aton(source) for source in sources]
    target = socket.inet_aton(target)
    sent = 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((interface, 0))
        for number in range(count):
            source = packed[number % len(packed)]
            own = 1024 + number // len(packed) % 64000
            frames = [_tcp_frame(head, source, target, own, port, 2)]
            if endpoint:
                other = socket.inet_aton(endpoint[0])
                frames.append(_tcp_frame(head, other, source, endpoint[1], own, 0x12))
                frames.append(_tcp_frame(head, source, target, own, port, 0x10))
            for frame in frames:
                try:
                    sent += raw.send(frame) > 0
                except OSError:
                    pass  # the queue is full for a moment
    return sent


def connect_many(address, port, count, seconds=2, timeout=5):
    """Opens `count` connections within some seconds and holds them; returns how many answered."""

    async def one(number):
        await asyncio.sleep(number * seconds / count)
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection(address, port), timeout)
            writer.write(b"x\n")
            answered = bool(await asyncio.wait_for(reader.readline(), timeout))
        except (OSError, asyncio.TimeoutError):
            return 0, None
        return int(answered), writer

    async def everything():
        done = await asyncio.gather(*(one(number) for number in range(count)))
        for _, writer in done:
            if writer:
                writer.close()
        return sum(answered for answered, _ in done)

    return asyncio.run(everything())


def dns_by_one_socket(address, names, count, timeout=3):
    """Queries A records in turn from one socket; counts each address."""
    found = {}
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout)
        sock.connect((address, 53))
        for number in range(count * len(names)):
            labels = names[number % len(names)].encode().split(b".")
            name = b"".join(bytes([len(each)]) + each for each in labels) + b"\0"
            query = struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + name + b"\0\1\0\1"
            sock.send(query)
            reply = sock.recv(2048)
            if reply[:2] == query[:2] and len(reply) > len(query):
                data = socket.inet_ntoa(reply[len(query) + 12:len(query) + 16])
                found[data] = found.get(data, 0) + 1
    return found


def sctp_available():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP).close()
    except OSError:
        return False
    return True


def serve_sctp(name, port):
    server = listener(port, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
    while True:
        connection, peer = server.accept()
        with connection:
            connection.sendall(f"{name} {shown(peer)} ".encode() + connection.recv(1000))


def ask_sctp(address, port, timeout=3):
    with socket.socket(family_of(address), socket.SOCK_STREAM, socket.IPPROTO_SCTP) as client:
        client.settimeout(timeout)
        client.connect((address, port))
        client.sendall(b"hello\n")
        return client.recv(1000).decode().split()[:2]


_CALLS = {each.__name__: each for each in (
    bulk, ask, ask_udp, ask_udp_at_once, ask_in_frames, talk, refused, load, ask_sctp, send_frames,
    dns_by_one_socket, flood_tcp, connect_many, repeat_frame)}


def main():
    command = sys.argv[1]
    if command == "serve":
        name, lines, udp, bulk_port = sys.argv[2], *map(int, sys.argv[3:6])
        serve(name, lines, udp, bulk_port)
    elif command == "serve-sctp":
        serve_sctp(sys.argv[2], int(sys.argv[3]))
    elif command == "call":
        arguments = sys.argv[3] if len(sys.argv) > 3 else sys.stdin.read()
        print(json.dumps(_CALLS[sys.argv[2]](**json.loads(arguments))))


if __name__ == "__main__":
    main()
