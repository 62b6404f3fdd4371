"""Quoted input cannot forge a line of a log, an error, a table or a document, control a terminal,
or reverse the direction of text."""

import json
import re
import subprocess

import cluster as lab
from checks import expect, expect_equal
from lab.node import program

# Line ends, escape sequences of a terminal, C1 in UTF-8, marks of direction, separators, no width.
EVIL = ["\n2026-01-01T00:00:00.000 info all is well", "\r\x1b[2K", "\x1b]0;title\x07", "\u009b2J",
        "\u202egpj.exe", "\u2066\u2069", "\u2028info", "\u200bweb", "\ufeff", "\x7f\x08"]
ALL = "x" + "".join(EVIL)
RAW = b"\xff\x9b2J\xc0\x8a\xed\xa0\x80\xe2\x80"
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e"
                       "\u2060-\u206f\ufeff]")
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3} \w+ ")


def expect_clean(data, what, lines=None):
    """Bytes that may be shown: UTF-8 without characters that mislead the reader."""
    text = data.decode()  # raises for anything else
    found = FORBIDDEN.search(text)
    expect(not found, f"{what}: {found and found.group()!r} in {text[:400]!r}")
    expect("info all is well" not in [line[24:] for line in text.split("\n")], f"{what}: {text!r}")
    if lines is not None:
        expect_equal(text.count("\n"), lines, f"lines of {what}: {text[:400]!r}")
    return text


def ctl(node, *words, stdin=None):
    command = [program("podlanectl"), "--socket", node.socket, *words]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=30, check=False)
    named = b" ".join(word if isinstance(word, bytes) else word.encode() for word in words)
    expect_clean(done.stdout, f"output of {named!r}")
    expect_clean(done.stderr, f"errors of {named!r}")
    return done


def item(api, kind, evil_meta=None, **fields):
    meta = {"name": "web", "namespace": "default"}
    meta.update(evil_meta or {})
    return {"apiVersion": api, "kind": kind, "metadata": meta, **fields}


def service(meta=None, **spec):
    whole = {"clusterIP": "10.96.0.10", "ports": [{"port": 80}], **spec}
    return item("v1", "Service", meta, spec=whole)


def documents(evil):
    """Objects with the text in the places that messages quote."""
    yield item("v1", evil)
    yield item(evil, "Service")
    yield {evil: 1, "kind": "Service"}
    yield service({"name": evil})
    yield service({"namespace": evil})
    yield service({"labels": {evil: evil}})
    yield service({"annotations": {evil: evil, "podlane.io/load-balancer-ips": evil}},
                  type="LoadBalancer")
    yield service(clusterIP=evil)
    yield service(type=evil)
    yield service(externalName=evil, type="ExternalName")
    yield service(trafficDistribution=evil)
    yield service(ports=[{"port": evil}])
    yield service(ports=[{"port": 80, "name": evil}])
    yield service(ports=[{"port": 80, "protocol": evil}])
    yield service(**{evil: evil})
    yield item("v1", "Pod", {"annotations": {"podlane.io/allowed-addresses": evil}},
               spec={"nodeName": "a"}, status={"podIP": "10.244.1.99"})
    yield item("v1", "Pod", spec={"nodeName": evil}, status={"podIP": evil})
    yield item("v1", "Node", {"name": "n", "namespace": "", "annotations": {
        "flannel.alpha.coreos.com/public-ip": evil,
        "flannel.alpha.coreos.com/backend-data": evil}}, spec={"podCIDR": evil})
    yield item("networking.k8s.io/v1", "NetworkPolicy", spec={
        "podSelector": {"matchExpressions": [{"key": evil, "operator": evil}]},
        "ingress": [{"from": [{"ipBlock": {"cidr": evil}}]}]})
    yield item("networking.k8s.io/v1", "Ingress", spec={"rules": [
        {"host": evil, "http": {"paths": [{"path": evil, "pathType": evil, "backend": {
            "service": {"name": evil, "port": {"name": evil}}}}]}}]})
    yield item("v1", "Secret", type="kubernetes.io/tls", data={"tls.crt": evil, "tls.key": evil})
    yield item("discovery.k8s.io/v1", "EndpointSlice", addressType=evil, endpoints=[
        {"addresses": [evil], "nodeName": evil, "zone": evil}])


def strings_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from strings_of(each)


def by_commands(report, node):
    with report.check("objects: podlanectl's messages keep to their lines"):
        for document in documents(ALL):
            text = json.dumps(document).encode()
            for words in (["apply", "-f", "-"], ["validate", "-f", "-"], ["delete", "-f", "-"]):
                done = ctl(node, *words, stdin=text)
                if done.returncode != 0:
                    expect_clean(done.stderr.split(b"\nnotice: ")[0] + b"\n", str(words))
    with report.check("YAML with bytes that are no UTF-8, control characters, marks"):
        for text in (b'kind: "' + RAW + b'"\n', b"kind: \x1b[2J\n", b"a: &" + RAW + b" b\n",
                     b"a: *\x1b[2J\n", b"'\xe2\x80\xae': 1\n'\xe2\x80\xae': 2\n",
                     b"kind: Servic\xe2\x80\x8be\napiVersion: v1\n", b"%TAG \x1b\n---\n{",
                     b'{"kind": "\\u001b[2J\\u202e", "apiVersion": "v1"}'):
            done = ctl(node, "apply", "-f", "-", stdin=text)
            expect(done.returncode != 0 or b"skipped" in done.stderr or not done.stdout,
                   f"{text!r}: {done}")
    with report.check("words of the command line"):
        for word in (ALL.encode(), RAW + b"\n\x1b[2J"):
            for words in (["get", word], ["get", "pods", word], ["get", "flows", word],
                          ["get", "events", word], ["explain", "--from", word, "--to", word],
                          ["resolve", word], ["pod", "add", word, "--netns", word],
                          ["pod", "add", "default/x", "--netns", word, "--address", "10.244.1.9"],
                          ["pod", "del", word], ["log-level", word], ["apply", "-f", word],
                          [word], ["get", "--" + "x", word], ["-n", word, "get", "pods"],
                          ["delete", "service", word]):
                expect(ctl(node, *words).returncode != 0
                       or words[0] in ("get", "-n", "pod", "resolve"),
                       f"{words} was taken")


def by_socket(report, node):
    rpc = node.rpc()

    def call(method, params):
        rpc.send_bytes(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                   "params": params}).encode() + b"\n")
        return rpc.receive()

    with report.check("errors of the socket"):
        calls = [("apply", {"documents": json.dumps(each), "name": evil, "each": True})
                 for evil in EVIL for each in documents(evil)]
        for evil in EVIL:
            calls += [(evil, {}), ("get", {"kind": evil}), ("get", {evil: 1}),
                      ("explain", {"from": evil, "to": evil}), ("health", {"probe": evil}),
                      ("apply", {"documents": "kind: [", "name": evil}),
                      ("delete", {"kind": evil, "name": evil}),
                      ("apply", {"documents": "", "owner": evil}),
                      ("pod.add", {"pod": evil, "netns": evil, "addresses": [evil]})]
        refused = 0
        for method, params in calls:
            reply = call(method, params)
            if "error" in reply:
                refused += 1
                for text in strings_of(reply["error"]):
                    expect(not FORBIDDEN.search(text) and "\n" not in text, f"{method}: {text!r}")
        expect(refused >= len(EVIL) * 9, f"{refused} were refused")
        rpc.send_bytes(b'{"jsonrpc": "2.0", "id": 1, "method": "' + RAW + b'"}\n')
        expect("error" in rpc.receive(), "bytes that are no UTF-8 were taken")


def by_views(report, node):
    with report.check("what was taken is shown as it is, in tables, JSON and YAML"):
        for kind in ("services", "pods", "nodes", "endpointslices", "networkpolicies",
                     "ingresses", "events", "policies", "flows", "ports", "names", "secrets"):
            for form in ([], ["-o", "wide"], ["-o", "json"], ["-o", "yaml"], ["-o", "name"]):
                ctl(node, *form, "get", kind, "-A")
            ctl(node, "get", kind, "--refused")
        for words in (["health"], ["stats"], ["describe", "services"], ["doctor"],
                      ["-o", "json", "health"], ["-o", "yaml", "stats"]):
            ctl(node, *words)
    with report.check("JSON means what it meant"):
        told = json.loads(ctl(node, "-o", "json", "get", "services", "-A").stdout)
        expect(isinstance(told.get("items"), list), str(told)[:300])


@lab.with_cluster(names=("a",))
def tests(report, _options, cluster):
    node = cluster.nodes["a"]
    by_commands(report, node)
    by_socket(report, node)
    by_views(report, node)
    with report.check("the log has lines of its own alone"):
        with open(f"/run/lab/{node.name}.log", "rb") as file:
            log = file.read()
        text = expect_clean(log, "the log")
        for line in text.splitlines():
            expect(LOG_LINE.match(line), f"a line that is none: {line!r}")
        expect("\\x1b" in text or "\\xe2" in text, "nothing of it was logged")
    cluster.stop_checks(report)


if __name__ == "__main__":
    lab.main(tests)
