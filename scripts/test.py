#!/usr/bin/python3
"""Runs all tests and adds up their results: the whole tree, sanitizers, fuzzers, the demo.

The last line is `N passed, M failed`, where each test case, each TAP check and each step of the
demo counts; skipped ones are named and count as neither. Exit 1 when M > 0.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("PODLANE_BUILD") or os.path.join(ROOT, "build")
# Suites that need the programs as users have them, and suites to run under the sanitizers.
PROGRAM_SUITES = ["lint", "system", "bench-smoke"]
CODE_SUITES = ["unit", "property", "fuzz-smoke"]
# How many inputs each libFuzzer target gets, the same ones on every machine: about 12 s each here.
FUZZ_RUNS = {"fuzz_dns": 1_000_000, "fuzz_object": 90_000, "fuzz_parse": 1_200_000,
             "fuzz_rpc": 60_000}
FUZZ_SECONDS_AT_MOST = 120
# How many lines of a compiler's errors the summary repeats for each file, and of a test's output.
ERRORS_SHOWN = 6
LINES_SHOWN = 12
# Line numbers for a sanitizer's report, without the cost of full debug information.
LINES_ONLY = ["-Ddebug=false", "-Dcpp_args=-g1"]
# Six sources as one, since headers take most of a compiler's time. It only requires that names
# without linkage differ between the sources of a target; what users get is built source by source.
UNITY = ["-Dunity=on", "-Dunity_size=6"]
# The other compiler that we support, and the faster one for this. RapidJSON adds to null pointers,
# and clang's checker would report this as our fault.
CLANG = {"CC": "clang", "CXX": "clang++"}
CLANG_LINES_ONLY = ["-Ddebug=false", "-Dcpp_args=-g1 -fno-sanitize=pointer-overflow"]


class Totals:
    """The numbers of tests passed, failed and skipped."""

    def __init__(self):
        self.started = time.monotonic()
        self.passed = 0
        self.failed = []
        self.skipped = []

    def progress(self, text):
        print(f"==> {time.monotonic() - self.started:6.0f} s  {text}", flush=True)

    def step(self, name, command, quiet=False, **environment):
        """Runs a command without a result file; counts only a failure.

        `quiet`: shows the end of the output, and only on failure.
        """
        self.progress(f"{name}: {' '.join(command)}")
        output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if quiet else {}
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False,
                              **output)
        if done.returncode != 0:
            if quiet:
                print(done.stdout.decode(errors="replace")[-4000:], flush=True)
            self.failed.append(f"{name}: {' '.join(command)} exits with {done.returncode}")
        return done.returncode == 0

    def build(self, name, build, programs):
        """Builds all that can be built; each error is repeated at the end, and counts."""
        command = ["ninja", "-C", build, "-k", "0", *programs]
        self.progress(f"{name}: {' '.join(command)}")
        errors, block = [], None
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace") as ninja:
            for line in ninja.stdout:
                print(line, end="", flush=True)
                if line.startswith(("FAILED:", "ninja: error:")):
                    block = [line.rstrip()]
                    errors.append(block)
                elif line.startswith("["):
                    block = None
                elif block is not None and "error" in line and len(block) < ERRORS_SHOWN:
                    block.append(line.rstrip())
        self.failed += [f"{name}: " + "\n    ".join(each) for each in errors]
        if ninja.returncode != 0 and not errors:
            self.failed.append(f"{name}: ninja exits with {ninja.returncode}")
        return ninja.returncode == 0

    def read_junit(self, build, name):
        """Adds the cases of the build's last `meson test`."""
        path = os.path.join(build, "meson-logs", "testlog.junit.xml")
        before = self.passed
        for suite in xml.etree.ElementTree.parse(path).getroot().iter("testsuite"):
            for case in suite.iter("testcase"):
                title = f"{name}: {suite.get('name')}: {case.get('name')}"
                if case.find("failure") is not None or case.find("error") is not None:
                    self.failed.append("\n    ".join([title, *end_of_output(suite, case)]))
                elif case.find("skipped") is not None:
                    self.skipped.append(title)
                else:
                    self.passed += 1
        self.progress(f"{name}: {self.passed - before} passed")

    def meson_test(self, name, build, *arguments):
        """Runs a build's tests; a run without results, or a failure without a case, counts."""
        failed_before = len(self.failed)
        log = os.path.join(build, "meson-logs", "testlog.junit.xml")
        if os.path.exists(log):
            os.unlink(log)
        good = self.step(name, ["meson", "test", "-C", build, "--print-errorlogs", *arguments])
        if not good:
            whole_run = self.failed.pop()
        if os.path.exists(log):
            self.read_junit(build, name)
        if not good and len(self.failed) == failed_before:
            self.failed.append(whole_run)

    def build_and_test(self, name, build, suites, *prefixes, slower=1):
        """Builds only the programs of these suites; runs them with `slower` times the timeouts."""
        programs = [each for prefix in prefixes for each in programs_of(build, prefix)]
        words = [word for suite in suites for word in ("--suite", suite)]
        if self.build(name, build, programs):
            self.meson_test(name, build, "--no-rebuild", *words,
                            "--timeout-multiplier", str(slower))

    def configure(self, name, build, options, **environment):
        """Makes a build folder unless it exists; counts a step that fails."""
        if os.path.exists(os.path.join(build, "build.ninja")):
            return True
        return self.step(name, ["meson", "setup", build, *options], **environment)


def end_of_output(suite, case):
    """What a failed test said of it, or else said last; each program's output is shown once."""
    lines = []
    for place in (suite, case):
        for part in ("system-out", "system-err"):
            for found in place.findall(part):
                lines += [line for line in (found.text or "").splitlines() if line.strip()]
                found.text = ""
    named = [i for i, line in enumerate(lines)
             if line.startswith(("not ok", "wrong:")) or ": Failure" in line or "ERROR: " in line]
    said = [line for i, line in enumerate(lines) if any(i - 4 < at <= i for at in named)]
    return (said or lines)[-LINES_SHOWN:]


def programs_of(build, prefix):
    """The build's programs with these name prefixes: all that a suite needs, and nothing more."""
    shown = subprocess.run(["meson", "introspect", "--targets", build], capture_output=True,
                           text=True, check=True).stdout
    return [os.path.relpath(target["filename"][0], build) for target in json.loads(shown)
            if target["type"] == "executable" and target["name"].startswith(prefix)]


def sanitizers(totals):
    """The code's tests under ASan and UBSan; those with threads and without DPDK under TSan."""
    checked = ["--buildtype=debug", "-Dbench=false", *UNITY]
    asan = BUILD + "-asan"
    if totals.configure("asan", asan, ["-Db_sanitize=address,undefined", *checked,
                                       *CLANG_LINES_ONLY], **CLANG):
        totals.build_and_test("asan+ubsan", asan, CODE_SUITES, "unit_", "property_", "replay_",
                              slower=10)
    tsan = BUILD + "-tsan"
    if totals.configure("tsan", tsan, ["-Db_sanitize=thread", "-Dprograms=false", *checked,
                                       *LINES_ONLY]):
        totals.build_and_test("tsan", tsan, ["unit"], "unit_", slower=10)


def tidy(totals):
    """clang-tidy on the files of the last commit; skipped if that is the first one."""
    before = subprocess.run(["git", "rev-parse", "-q", "--verify", "HEAD~1"], cwd=ROOT,
                            capture_output=True, check=False)
    # A separate folder, never built: it has each source's flags, also if BUILD joins sources.
    build = BUILD + "-tidy"
    if before.returncode == 0 and totals.configure("tidy", build, ["-Dbench=false"]):
        totals.step("tidy", ["scripts/tidy.sh", "HEAD~1"], quiet=True, PODLANE_BUILD=build)


def fuzzers(totals):
    """Each libFuzzer target starts from its corpus and runs for a fixed number of inputs."""
    fuzz = BUILD + "-fuzz"
    options = ["--buildtype=debug", "-Doptimization=1", *CLANG_LINES_ONLY, "-Dfuzz=true",
               "-Dbench=false", "-Db_sanitize=address,undefined", *UNITY]
    if not totals.configure("fuzz", fuzz, options, **CLANG):
        return
    targets = programs_of(fuzz, "fuzz_")
    if not totals.build("fuzz", fuzz, targets):
        return
    for target in targets:
        name = os.path.basename(target)
        found = os.path.join(fuzz, "found", name)
        os.makedirs(found, exist_ok=True)
        corpus = os.path.join(ROOT, "tests/fuzz/corpus", name.removeprefix("fuzz_"))
        command = [os.path.join(fuzz, target), f"-runs={FUZZ_RUNS.get(name, 60_000)}", "-seed=1",
                   f"-max_total_time={FUZZ_SECONDS_AT_MOST}", "-verbosity=0",
                   f"-artifact_prefix={found}/", found, corpus]
        totals.passed += totals.step(name, command, quiet=True)


def demo(totals):
    """The demo as a user runs it."""
    if os.geteuid() != 0:
        totals.skipped.append("demo: needs root")
    else:
        for title, script in (("demo", "demo.py"), ("demo, cluster", "demo_cluster.py")):
            totals.passed += totals.step(title, [os.path.join(ROOT, "scripts", script)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true",
                        help="the code's tests without sanitizers; no libFuzzer, no demo")
    options = parser.parse_args()
    totals = Totals()
    totals.build_and_test("programs", BUILD, PROGRAM_SUITES, "podlane", "bench_", "paced_")
    if options.quick:
        totals.build_and_test("code", BUILD, CODE_SUITES, "unit_", "property_", "replay_")
    else:
        tidy(totals)
        sanitizers(totals)
        fuzzers(totals)
        demo(totals)
    for title in totals.skipped:
        print(f"skipped: {title}")
    for title in totals.failed:
        print(f"FAILED: {title}")
    totals.progress("done")
    print(f"{totals.passed} passed, {len(totals.failed)} failed", flush=True)
    sys.exit(bool(totals.failed))


if __name__ == "__main__":
    main()
