"""Named checks, reported in the Test Anything Protocol; each one counts by itself."""

import contextlib
import os
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts"))


class Report:
    """Prints the result of each check as it is known, and the plan at the end."""

    def __init__(self):
        self._count = 0
        self.failed = 0
        self._started = time.monotonic()

    def note(self, text):
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)

    def result(self, name, passed, detail=""):
        self._count += 1
        self.failed += not passed
        name = name.replace("#", "no.")
        print(f"{'ok' if passed else 'not ok'} {self._count} - {name}", flush=True)
        if not passed and detail:
            self.note(detail)
        return passed

    def skip(self, name, why):
        self._count += 1
        print(f"ok {self._count} - {name} # SKIP {why}", flush=True)

    @contextlib.contextmanager
    def check(self, name):
        """The block is the check: it passes when it ends without an exception."""
        try:
            yield
        except Exception as error:  # a check that fails must not end the other checks
            frame = traceback.extract_tb(error.__traceback__)[-1]
            self.result(name, False, f"{type(error).__name__} at line {frame.lineno}: {error}")
        else:
            self.result(name, True)

    def finish(self):
        print(f"1..{self._count}", flush=True)
        self.note(f"{self._count - self.failed} of {self._count} passed in "
                  f"{time.monotonic() - self._started:.1f} s")
        return self.failed


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def expect_equal(seen, wanted, what=""):
    if seen != wanted:
        raise AssertionError(f"{what}: {seen!r}, should be {wanted!r}".lstrip(": "))
