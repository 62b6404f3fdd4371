"""What documents say of the code, where a program can tell; and what there may be one of."""

import re

RPC = "docs/rpc.md"
README = "README.md"
ROWS = "control/show/rows_json.cc"
LIVE_KINDS = "control/rpc/live_kinds.cc"
KINDS = ("control/kube/kind_list.h", "control/kube/meta.cc")
# Endpoints have been mirrored into EndpointSlices since Kubernetes 1.21.
NOT_IN_A_RELIST = {"endpoints"}


def _live_rows(tree):
    """{kind: the text about its fields} of the table of live kinds."""
    section = tree.text(RPC).partition("Live state")[2].partition("\n### ")[0]
    rows = (re.split(r" \| ", line.strip("| ")) for line in section.split("\n"))
    return {row[0].strip("`"): row[2] for row in rows if len(row) == 3 and row[0].startswith("`")}


def _fields(text):
    """The names of fields in such a text: in backquotes, at its begin or behind a comma."""
    text = re.sub(r"\([^()]*(?:\([^()]*\)[^()]*)*\)", "", text)
    text = re.sub(r"(\[`\w+`)[^\]]*\]", r"\1]", text)
    found = []
    for part in text.replace(": ", ", ").split(", "):
        found += [name for each in part.split(" and ")
                  for name in re.findall(r"^\s*\[?`(\w+)`", each)]
    return found


def fields_of_lists(tree):
    """rpc.md names the fields that lists have, and those alone."""
    rows, code = _live_rows(tree), tree.text(ROWS)
    if not rows:
        yield f"{RPC}: no table of live state found"
    for kind, text in rows.items():
        for field in _fields(text):
            if f'"{field}"' not in code:
                yield f"{RPC}: {kind} have a field {field}, which {ROWS} does not make"
    named = {field for text in rows.values() for field in _fields(text)}
    for field in re.findall(r'^\s*\{"[A-Z-]+", "/(\w+)"', tree.text(LIVE_KINDS), re.MULTILINE):
        if field not in named:
            yield f"{LIVE_KINDS}: a column of {field}, which {RPC} does not name"


def readme_kinds(tree):
    """README's way to hand over a cluster names every kind, since `replace` removes the rest."""
    kinds = {plural for path in KINDS if path in tree.files
             for plural in re.findall(r'(?:true|false),\s*"([a-z]+)"', tree.text(path))}
    told = re.search(r"kubectl get ([a-z,]+)[^\n]*\n[^\n]*podlanectl replace", tree.text(README))
    if not kinds or not told:
        yield f"{README}: no `kubectl get ... && podlanectl replace` found, or no kinds"
        return
    for kind in sorted(kinds - set(told.group(1).split(",")) - NOT_IN_A_RELIST):
        yield f"{README}: its replace would remove all {kind}, which its kubectl get leaves out"


# (what, how its definition looks, where it may stand)
SINGLE = [
    ("FNV-1a", r"0x0*100000001b3|\b1099511628211\b|\b16777619\b|\b0x0*1000193\b",
     "lib/base/stable_hash.h"),
    ("edit distance", r"\b(?:edit_distance|levenshtein)\([^;]*\{|\bdef \w*distance\w*\(",
     "control/document/fields.cc"),
    ("the numbers of protocols", r"\bkProtocolTcp = ", "lib/proto/ip_protocol.h"),
    ("device arguments", r"\bparse_device\([^;]*\{", "lib/base/device.cc"),
    ("a DNS resolver in Python", r"^class Resolver\b", "scripts/lab/resolver.py"),
]


def single(tree):
    """What was once written several times stands in one place."""
    sources = [path for path in tree.files if path.endswith((".h", ".cc", ".py"))
               and not path.startswith("tests/lint/")]
    for what, definition, home in SINGLE:
        places = [path for path in sources
                  if re.search(definition, tree.text(path), re.MULTILINE)]
        if home not in places:
            yield f"{home}: {what} is not found there"
        for path in places:
            if path != home:
                yield f"{path}: {what} again, which {home} has"
