"""The tree's rules, each a check: layering, size, form, headers and drops with tests, docs."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

from architecture import may_use
from tree import ROOT, Tree
from typed import without_json
from unused import unused

MOST_LINES = 500
MOST_COLUMNS = 100  # clang-format holds this for C++
CODE = (".h", ".cc", ".py", ".sh")
CONFORMANCE = "docs/conformance.md"
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")


def dpdk_borders(tree):
    """rte_* headers only in lib/dpdk and dataplane."""
    for path in tree.under("lib", "dataplane", "control"):
        if path.startswith(("lib/dpdk/", "dataplane/")):
            continue
        for _, name in tree.includes(path):
            if name.startswith("rte_"):
                yield f"{path}: includes {name}"


def size(tree):
    """No file is so long that one cannot find one's way in it."""
    for path in tree.files:
        lines = tree.text(path).count("\n")
        if path.endswith(CODE) and lines > MOST_LINES:
            yield f"{path}: {lines} lines, more than {MOST_LINES}"


def header_form(tree):
    """A header says on top what it is for, and is included once."""
    for path in tree.under("lib", "dataplane", "control"):
        if path.endswith(".h"):
            if not tree.text(path).startswith("//"):
                yield f"{path}: no paragraph on top that says what it is for"
            if "#pragma once" not in tree.text(path):
                yield f"{path}: no #pragma once"


def headers_tested(tree):
    """Every header of the product is included by a test."""
    tested = {name for path in tree.under("tests") for quoted, name in tree.includes(path)
              if quoted}
    for path in tree.under("lib", "dataplane", "control"):
        if path.endswith(".h") and path not in tested:
            yield f"{path}: no test includes it"


def _listed_drops(tree):
    """(enumerator, name) of each reason but "not dropped"."""
    listed = re.findall(r'X\((k\w+),\s*"(\w+)"', tree.text("lib/base/drop.h"))
    return [each for each in listed if each[0] != "kNone"]


def drops_raised(tree):
    """No reason is listed that nothing gives."""
    product = "\n".join(tree.text(path) for path in tree.under("lib", "dataplane"))
    for enumerator, name in _listed_drops(tree):
        if not re.search(rf"\bDrop::{enumerator}\b", product):
            yield f"Drop::{enumerator} ({name}): nothing drops a packet for it"


def drops_tested(tree):
    """Each reason to drop a packet is named in a test."""
    listed = _listed_drops(tree)
    if not listed:
        yield "lib/base/drop.h: no list of drops found"
    tests = "\n".join(tree.text(path) for path in tree.under("tests", endings=(".h", ".cc", ".py")))
    golden = "\n".join(tree.text(path) for path in tree.under("tests/golden",
                                                             endings=(".yaml", ".txt", ".md")))
    for enumerator, name in listed:
        named = re.search(rf"\bDrop::{enumerator}\b", tests) or f'"{name}"' in tests
        if not named and not re.search(rf"\b{name}\b", golden):
            yield f"Drop::{enumerator} ({name}): no test names it"


def white_space(tree):
    """No trailing white space, no tab or long line in code, a newline at the end."""
    for path in tree.files:
        text = tree.text(path)
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                yield f"{path}:{number}: trailing white space"
            elif "\t" in line and path.endswith(CODE):
                yield f"{path}:{number}: a tab"
            elif len(line) > MOST_COLUMNS and path.endswith((".py", ".sh")):
                yield f"{path}:{number}: {len(line)} columns, more than {MOST_COLUMNS}"
        if text and not text.endswith("\n"):
            yield f"{path}: no newline at the end"


def unfinished(tree):
    """Nothing is left for later in the tree itself."""
    for path in tree.files:
        for number, line in enumerate(tree.text(path).split("\n"), 1):
            if UNFINISHED.search(line):
                yield f"{path}:{number}: {line.strip()}"


def formatting(tree):
    """clang-format has nothing to change."""
    sources = tree.under("lib", "dataplane", "control", "tests", "bench")
    if not sources:
        return
    command = ["clang-format", "--dry-run", "-Werror", *sources]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    places = [line.split(":") for line in done.stderr.splitlines() if "error:" in line]
    for path in sorted({place[0] for place in places}):
        lines = {place[1] for place in places if place[0] == path}
        yield f"{path}: {len(lines)} lines differ; clang-format -i {path}"


def links(tree):
    """What the documents link to exists."""
    for path in tree.files:
        if not path.endswith(".md"):
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", tree.text(path)):
            plain = target.split("#")[0]
            if not plain or "://" in target or target.startswith("mailto:"):
                continue
            if not tree.exists(os.path.normpath(os.path.join(os.path.dirname(path), plain))):
                yield f"{path}: links to {target}, which is not there"


def _claims(tree):
    """(line, what it claims to have) of each scenario in the list of Kubernetes' own tests."""
    for number, line in enumerate(tree.text(CONFORMANCE).split("\n"), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("|") and len(cells) == 2 and cells[0] not in ("scenario", "---|---"):
            yield number, cells[1]


def conformance(tree):
    """Each scenario of docs/conformance.md says why it is not kept, or names tests that are there:
    files, functions of theirs in backquotes, and checks of theirs in quotes."""
    by_name = {os.path.basename(path): path for path in tree.under("tests", endings=(".py", ".cc"))}
    for number, claim in _claims(tree):
        where = f"{CONFORMANCE}:{number}"
        words = re.findall(r"`([^`]+)`", claim)
        files = [by_name.get(os.path.basename(word)) for word in words
                 if word.endswith((".py", ".cc"))]
        if claim.startswith("not kept, because "):
            continue
        if not files and not claim.startswith("model"):
            yield f"{where}: names no test"
        if None in files:
            yield f"{where}: names a test file that is not there"
            continue
        # A sentence may go over the end of a line of code.
        text = "\n".join(re.sub(r'"\s*\n\s*f?"', "", tree.text(path)) for path in files)
        for phrase in re.findall(r'"([^"]+)"', claim):
            if not all(part.strip(" ,") in text for part in phrase.split("...")):
                yield f'{where}: no check "{phrase}" is in its tests'
        for word in words:
            if re.fullmatch(r"\w+", word) and not re.search(rf"\bdef {word}\(|, {word}\)", text):
                yield f"{where}: no function {word} is in its tests"


def _examples(tree):
    """(where, text) of each node configuration in configs/ and in the documents' yaml blocks."""
    for path in tree.under("configs", endings=(".yaml", ".yml")):
        if re.search(r"^node:", tree.text(path), re.MULTILINE):
            yield path, tree.text(path)
    for path in tree.files:
        if path.endswith(".md"):
            for block in re.findall(r"```yaml\n(.*?)```", tree.text(path), re.DOTALL):
                if re.match(r"(#.*\n)*node:", block):
                    yield path, block


def configurations(tree):
    """podlaned --check accepts each example."""
    podlaned = os.path.join(os.environ["PODLANE_BUILD"], "podlaned")
    for where, text in _examples(tree):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text)
            file.flush()
            done = subprocess.run([podlaned, "--config", file.name, "--check"],
                                  capture_output=True, text=True, check=False)
            if done.returncode != 0:
                yield f"{where}: {done.stderr.strip()}"


RULES = [
    ("folders include what docs/architecture.md says they may use", may_use),
    ("DPDK stays in lib/dpdk and dataplane", dpdk_borders),
    ("the node model is without JSON", without_json),
    (f"no code file has more than {MOST_LINES} lines", size),
    ("headers say what they are for", header_form),
    ("every header is included by a test", headers_tested),
    ("the product uses every function that a header declares", unused),
    ("every drop reason is given somewhere", drops_raised),
    ("every drop reason is named in a test", drops_tested),
    ("no trailing white space, no tabs, no long lines", white_space),
    ("nothing is left for later", unfinished),
    ("the sources are formatted", formatting),
    ("links in the documents lead somewhere", links),
    ("scenarios of Kubernetes' own tests name tests that are there", conformance),
    ("the configuration examples load", configurations),
]


def why_not(rule):
    """The reason to skip a rule on this machine, if there is one."""
    if rule is formatting and not shutil.which("clang-format"):
        return "clang-format is not installed"
    if rule is configurations and not os.path.exists(
            os.path.join(os.environ.get("PODLANE_BUILD", ""), "podlaned")):
        return "podlaned is not built"
    return None


def main():
    tree = Tree()
    print(f"1..{len(RULES)}")
    for number, (title, rule) in enumerate(RULES, 1):
        skip = why_not(rule)
        if skip:
            print(f"ok {number} - {title} # SKIP {skip}")
            continue
        faults = list(rule(tree))
        print(f"{'not ok' if faults else 'ok'} {number} - {title}")
        for fault in faults:
            print(f"# {fault}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
