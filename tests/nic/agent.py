"""In the guest: sets the rest up, then runs the commands that come by the second serial line.

A line in is SECONDS and a command, a line out its exit status and output; texts are base64.
"""

import base64
import os
import subprocess
import sys
import tty

SET_UP = """
mkdir -p /lib/modules && mount --bind {modules} /lib/modules
ip link set lo up
hostname nic-guest
modprobe tun
"""


def run(seconds, command):
    """(status, output) of a shell command; 124: it took too long."""
    try:
        done = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds)
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as error:
        return 124, (error.stdout or b"") + b"\n(took too long)\n"


def serve():
    """Runs what comes, without end."""
    os.environ |= {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                   "HOME": "/tmp"}
    print(run(60, SET_UP.format(modules=sys.argv[1]))[1].decode(), flush=True)
    with open("/dev/ttyS1", "r+b", buffering=0) as line:
        tty.setraw(line)
        print("GUEST READY", flush=True)
        waiting = b""
        while True:
            waiting += line.read(4096)
            while b"\n" in waiting:
                request, waiting = waiting.split(b"\n", 1)
                seconds, command = request.split(b" ")
                status, output = run(float(seconds), base64.b64decode(command).decode())
                answer = b"%d %s\n" % (status, base64.b64encode(output))
                while answer:
                    answer = answer[line.write(answer):]


def main():
    if os.fork() == 0:
        serve()
    # The first process takes care of the orphans: an ended podlaned must be gone.
    while True:
        os.wait()


if __name__ == "__main__":
    main()
