"""Functions that headers declare and the product never calls: by their names, without a compiler.

A name counts as used when it stands anywhere in lib, dataplane or control other than where it is
declared or defined; a function that overrides another is called by that one's name. A namesake's
use hides an unused function; a name that is listed is unused.
"""

import re

PRODUCT = ("lib", "dataplane", "control")
# Why these stay though nothing of the product names them.
KEPT = {
    "address_of": "tests see by it which chunks copies share",
    "af_packet_frame_room": "tests see by it what a slot of the ring holds",
    "available": "tests see by it that no packet buffer is lost",
    "finish_sending": "tests of the socket send what no client of ours does",
    "flows_of": "tests look into the flow table of a family",
    "held_bytes": "tests bound memory by it",
    "last_code": "tests tell refusals of the socket apart",
    "manual_options": "tests hold the manual pages' text by it",
    "manual_text": "tests hold the manual pages' text by it",
    "next_deadline_ms": "tests see by it that nothing is due",
    "parse_ip_packet": "tests parse packets without a frame around them",
    "receive_line": "tests of the socket receive what no client of ours does",
    "sctp_checksum": "tests sum anew what lib/flow/sctp_change.h changes",
    "send_line": "tests of the socket send what no client of ours does",
    "service_count": "tests see by it what a zone holds",
    "traffic_class": "the field of the header as its RFC has it",
    "uses_hugepages": "tests see by it what the EAL took",
}
_NOISE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
_NAME = re.compile(r"\b[a-z_][a-z0-9_]*\b")
_TEMPLATE_ARGUMENTS = re.compile(r"<[^<>;(){}]*(?:<[^<>;(){}]*>[^<>;(){}]*)*>")
_QUALIFIED = re.compile(r"(?:\b\w+\s*(?:<[^;(){}]*?>)?\s*::\s*)+$")
# A word before a name that makes it a call, not a declaration.
_CALLERS = {"return", "else", "do", "case", "throw", "and", "or", "not", "co_return", "co_await",
            "operator", "new", "delete", "sizeof", "goto", "typename", "template"}
_KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "alignof", "alignas", "decltype",
             "noexcept", "static_assert", "requires", "catch", "operator", "defined", "assert",
             "explicit", "constexpr", "consteval", "typeid", "static_cast", "const_cast",
             "reinterpret_cast", "dynamic_cast", "co_await", "new", "delete", "throw"}


def plain(text):
    """The text without comments and what is quoted; lines stay where they are."""
    return _NOISE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def _is_declared(before):
    """Whether a name behind this text is declared or defined there: it has a type before it."""
    before = before[-300:]
    qualified = _QUALIFIED.search(before)
    if qualified:
        before = before[:qualified.start()]
    stripped = before.rstrip()
    word = re.search(r"\w+$", stripped)
    if word:
        return len(stripped) < len(before) and word.group() not in _CALLERS
    # "Foo& name(" has its mark at the type, "a & name(" has not.
    return (bool(re.search(r"[\w>)][&*>]+$", stripped)) and len(stripped) < len(before)
            and not stripped.endswith("->"))


def _mentions(text):
    """(name, where, is a declaration, is a function) of each name in the text."""
    for found in _NAME.finditer(text):
        rest = text[found.end():found.end() + 200]
        arguments = _TEMPLATE_ARGUMENTS.match(rest)
        called = (rest[arguments.end():] if arguments else rest).lstrip().startswith("(")
        yield (found.group(), found.start(),
               called and _is_declared(text[max(0, found.start() - 300):found.start()]), called)


def unused(tree):
    """Each function that a header declares has a use in the product."""
    declared, used = {}, set()
    for path in tree.under(*PRODUCT):
        text = plain(tree.text(path))
        for name, at, is_declaration, _ in _mentions(text):
            if not is_declaration:
                used.add(name)
            elif (path.endswith(".h") and name not in _KEYWORDS
                  and not re.match(r"[^;{}]*\boverride\b", text[at:at + 400])):
                declared.setdefault(name, (path, text.count("\n", 0, at) + 1))
    for name, (path, line) in sorted(declared.items(), key=lambda entry: entry[1]):
        if name not in used and name not in KEPT:
            yield f"{path}:{line}: nothing of the product uses {name}()"
    for name in sorted(set(KEPT) - set(declared)):
        yield f"tests/lint/unused.py: {name} is kept, and no header declares it"
