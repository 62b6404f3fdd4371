"""Connections that must survive something: a server and a client for them, in any namespace.

`holding.py serve NAME PORT` answers each line with "NAME CLIENT-ADDRESS LINE", and the line "speak"
with ten lines a second, whether the client sends or not. `holding.py hold JSON` opens connections,
keeps them until a file exists, and prints their outcome as JSON. Standard library only; no import
from the tests.
"""

import asyncio
import json
import os
import socket
import sys
import time

PATIENCE = 30  # seconds for an answer
PAUSE = 0.1


async def serve(name, port):
    async def answer(reader, writer):
        peer = writer.get_extra_info("peername")[0]
        try:
            while line := await reader.readline():
                while True:
                    writer.write(f"{name} {peer} ".encode() + line)
                    await writer.drain()
                    if line != b"speak\n" or reader.at_eof():
                        break
                    await asyncio.sleep(PAUSE)
        except ConnectionError:
            pass
        finally:
            writer.close()

    made = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True,
                                backlog=1024)
    await (await asyncio.start_server(answer, sock=made)).serve_forever()


async def _one(address, port, goes_on, result, hears):
    """`hears`: the client sends once, and from then on only the server."""
    first = None
    try:
        reader, writer = await asyncio.open_connection(address, port)
        if hears:
            writer.write(b"speak\n")
        while goes_on():
            if not hears:
                writer.write(b"request\n")
            async with asyncio.timeout(PATIENCE):
                answer = (await reader.readline()).split()
            # The answering server, and the client's address that it sees.
            seen = b" ".join(answer[:2]).decode() if answer else "closed"
            first = first or seen
            if seen != first:
                result["moved"].append(f"{first} -> {seen}")
                break
            result["answers"] += 1
            await asyncio.sleep(0 if hears else PAUSE)
        writer.close()
    except (OSError, TimeoutError) as error:
        result["moved"].append(f"{first}: {type(error).__name__}: {error}")


async def hold(address, port, asking, hearing, end, seconds=120):
    """Until the file `end` exists, the client sends in `asking` connections and the server in
    `hearing` ones. The last answer of each comes after that. `moved`: connections that were reset,
    stopped, or got another server or source."""
    result = {"moved": [], "answers": 0}
    until = time.monotonic() + seconds

    def goes_on():
        return time.monotonic() < until and not os.path.exists(end)

    await asyncio.gather(*(_one(address, port, goes_on, result, hears=number >= asking)
                           for number in range(asking + hearing)))
    return result


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(sys.argv[2], int(sys.argv[3])))
    else:
        print(json.dumps(asyncio.run(hold(**json.loads(sys.argv[2])))))
