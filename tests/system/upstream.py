"""A resolver of the outside world, for tests: `upstream.py ADDRESS IDENTITY`, UDP and TCP, port 53.

    www.example.com       A 198.51.100.1, AAAA 2001:db8::1, TTL 60
    who.example.com       A 198.51.100.IDENTITY, TTL 0: which server answered
    count.example.com     A 198.51.101.N: how often this was queried, TTL 60
    big.example.com       A, 200 addresses: truncated over UDP
    silent.example.com    no answer
    broken.example.com    SERVFAIL
    anything else         NXDOMAIN, with an SOA of 30 s
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts"))
# The path must be known first.
from lab.resolver import A, NOERROR, SERVFAIL, TTL, Resolver, record  # noqa: E402


class Upstream(Resolver):
    def __init__(self, identity):
        super().__init__([("www.example.com", "198.51.100.1"), ("www.example.com", "2001:db8::1")])
        self._identity = identity
        self._counted = 0

    def look_up(self, name, kind):
        if name == "who.example.com":
            return NOERROR, [record(A, 0, bytes([198, 51, 100, self._identity]))]
        if name == "count.example.com":
            self._counted += 1
            return NOERROR, [record(A, TTL, bytes([198, 51, 101, self._counted]))]
        if name == "big.example.com":
            return NOERROR, [record(A, TTL, bytes([10, 9, 8, each])) for each in range(200)]
        if name == "silent.example.com":
            return None
        if name == "broken.example.com":
            return SERVFAIL, []
        if not name:
            return NOERROR, []
        return super().look_up(name, kind)


if __name__ == "__main__":
    Upstream(int(sys.argv[2])).serve(sys.argv[1])
