"""Metrics as a real Prometheus scrapes them, and the answers of /healthz and /readyz."""

import json
import os
import shutil
import urllib.parse

import cluster as lab
from checks import expect, expect_equal
from lab import objects
from lab.net import run, wait_until

PLACE = "http://127.0.0.1:9967"
PROMETHEUS = "http://127.0.0.1:9090"
OPEN_METRICS = "Accept: application/openmetrics-text;version=1.0.0"
CLUSTER_IP = "10.96.0.10"


def fetch(node, url, *headers, head=False):
    """(status, headers, body)"""
    words = ["curl", "-s", "-m", "10", "-i"] + (["-I"] if head else [])
    for header in headers:
        words += ["-H", header]
    text = node.namespace.run([*words, url]).stdout
    top, _, body = text.replace("\r\n", "\n").partition("\n\n")
    lines = top.splitlines()
    return int(lines[0].split()[1]), [line.lower() for line in lines[1:]], body


def value(text, sample):
    for line in text.splitlines():
        name, _, number = line.rpartition(" ")
        if name == sample:
            return float(number)
    return None


def query(node, expression):
    """The value of a PromQL expression with one sample; None while there is none."""
    url = f"{PROMETHEUS}/api/v1/query?query={urllib.parse.quote(expression)}"
    done = node.namespace.run(["curl", "-s", "-m", "10", url], check=False)
    try:
        found = json.loads(done.stdout)["data"]["result"]
    except (ValueError, KeyError):
        return None
    return float(found[0]["value"][1]) if found else None


def formats(report, node):
    with report.check("/metrics is text that promtool accepts"):
        status, headers, body = fetch(node, PLACE + "/metrics")
        expect_equal(status, 200, "status")
        expect("content-type: text/plain; version=0.0.4; charset=utf-8" in headers, headers)
        if shutil.which("promtool"):
            done = run(["promtool", "check", "metrics"], stdin=body, check=False)
            expect(done.returncode == 0, done.stdout + done.stderr)
    with report.check("OpenMetrics is given to who asks for it"):
        status, headers, body = fetch(node, PLACE + "/metrics", OPEN_METRICS)
        expect(any("application/openmetrics-text" in each for each in headers), headers)
        expect(body.endswith("# EOF\n"), body[-100:])
    with report.check("HEAD has no body, other paths are not found, other hosts refused"):
        expect_equal(fetch(node, PLACE + "/metrics", head=True)[2], "", "body")
        expect_equal(fetch(node, PLACE + "/other")[0], 404, "status")
        expect_equal(fetch(node, PLACE + "/metrics", "Host: evil.example")[0], 403, "status")


def numbers(report, node, pod, client):
    """The scrape agrees with what happened, and with `stats`."""
    before = fetch(node, PLACE + "/metrics")[2]
    connections = 7
    lab.call(client.namespace, "ask", address=CLUSTER_IP, port=80, count=connections)
    after = fetch(node, PLACE + "/metrics")[2]
    with report.check("connections to a Service are counted"):
        sample = 'podlane_service_connections_total{namespace="default",service="web"}'
        expect_equal(value(after, sample) - value(before, sample), connections, sample)
        endpoints = value(after, 'podlane_service_endpoints{namespace="default",service="web"}')
        expect_equal(endpoints, 1, "endpoints")
    with report.check("packets of the pods' ports are counted"):
        name = pod.port["name"]
        sample = f'podlane_port_transmit_packets_total{{port="{name}",kind="pod"}}'
        expect(value(after, sample) >= value(before, sample) + 3 * connections, sample)
    with report.check("drops and generation are those of stats"):
        stats = node.stats()
        scraped = fetch(node, PLACE + "/metrics")[2]
        expect_equal(value(scraped, "podlane_generation"), node.stats()["generation"], "")
        for reason, count in stats["drops"].items():
            seen = value(scraped, f'podlane_drops_total{{reason="{reason}"}}')
            expect(seen is not None and seen >= count, f"{reason}: {seen}, {count} before")


def scraped(report, node):
    """A Prometheus with configs/monitoring/ scrapes the node, and raises no alert."""
    if not shutil.which("prometheus"):
        report.skip("a real Prometheus scrapes the node", "prometheus is not installed")
        return
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    folder = os.path.join(root, "configs", "monitoring")
    with open(os.path.join(folder, "prometheus.yaml"), encoding="utf-8") as file:
        text = file.read().replace("15s", "1s").replace("[alerts.yaml]",
                                                        f"[{folder}/alerts.yaml]")
    with open("/run/lab/prometheus.yaml", "w", encoding="utf-8") as file:
        file.write(text)
    server = node.namespace.spawn(
        ["prometheus", "--config.file=/run/lab/prometheus.yaml",
         "--storage.tsdb.path=/run/lab/prometheus", "--web.listen-address=127.0.0.1:9090"],
        "/run/lab/prometheus.log")
    try:
        with report.check("a real Prometheus scrapes the node"):
            wait_until(lambda: query(node, 'up{job="podlane"}') == 1, 40, "up")
            expect_equal(query(node, "podlane_serving"), 1, "podlane_serving")
            wait_until(
                lambda: query(node, "sum(podlane_port_receive_packets_total)"), 10, "packets")
        with report.check("the alert rules load, and none fires on a healthy node"):
            wait_until(lambda: query(node, "scrape_samples_scraped"), 10, "samples")
            url = PROMETHEUS + "/api/v1/rules"
            answer = json.loads(node.namespace.run(["curl", "-s", url]).stdout)
            rules = answer["data"]["groups"][0]["rules"]
            expect(len(rules) >= 10, rules)
            expect_equal([each["name"] for each in rules if each["state"] == "firing"], [],
                         "alerts")
    finally:
        server.stop()


def states(report, node):
    with report.check("/healthz and /readyz are 200 on a healthy node"):
        for path in ("/healthz", "/readyz"):
            status, _, body = fetch(node, PLACE + path)
            expect_equal((status, body.splitlines()[0]), (200, "ok"), path)


def unready(report, node):
    """Last: the uplink does not come back."""
    with report.check("an uplink that is lost makes /readyz 503 and leaves /healthz at 200"):
        node.namespace.ip("link", "del", "eth1")
        wait_until(lambda: fetch(node, PLACE + "/readyz")[0] == 503, 20, "503")
        body = fetch(node, PLACE + "/readyz")[2]
        expect("uplink0" in body, body)
        expect_equal(fetch(node, PLACE + "/healthz")[0], 200, "healthz")
        expect_equal(value(fetch(node, PLACE + "/metrics")[2], "podlane_serving"), 0, "serving")


@lab.with_cluster(names=("a",), outside=False)
def tests(report, options, cluster):
    node = cluster.nodes["a"]
    pod = cluster.pod("a", "web")
    client = cluster.pod("a", "client", servers=False)
    cluster.apply(
        objects.service("web", [CLUSTER_IP], [{"name": "http", "port": 80, "protocol": "TCP",
                                               "targetPort": lab.LINES}]),
        objects.endpoint_slice("web", [objects.endpoint(pod.address(4), node.name)],
                               [("http", "TCP", lab.LINES)]))
    formats(report, node)
    states(report, node)
    numbers(report, node, pod, client)
    scraped(report, node)
    unready(report, node)


if __name__ == "__main__":
    lab.main(tests)
