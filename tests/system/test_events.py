"""`podlanectl events`: what changed, when and by whom, on a node where various things happen."""

import json
import time

import cluster as lab
from checks import expect, expect_equal
from lab import objects
from lab.net import wait_until
from lab.node import program

CLUSTER_IP = "10.96.0.10"


def lines(node, *words):
    return [f"{each['by']} {each['kind']} {each.get('name', '')}: {each['text']}"
            for each in node.json("events", "-n", "0", *words)]


def web(node, *addresses):
    return objects.document(
        objects.service("web", [CLUSTER_IP], [objects.port(80, lab.LINES, name="http")]),
        objects.endpoint_slice("web", [objects.endpoint(a, node.name) for a in addresses],
                               [("http", "TCP", lab.LINES)]))


def changes(report, node):
    with report.check("endpoints that come and go are told with their owner and generation"):
        node.ctl("apply", "--owner", "feeder", "-f", "-", stdin=web(node, "10.244.1.10"))
        began = time.time()
        time.sleep(1.1)
        node.ctl("apply", "--owner", "feeder", "-f", "-", stdin=web(node, "10.244.1.11"))
        told = node.json("events", "--name", "default/web", "--by", "feeder")
        last = told[-1]
        expect_equal(last["text"],
                     f"changed: +10.244.1.11:{lab.LINES} -10.244.1.10:{lab.LINES}")
        expect_equal(last["generation"], node.stats()["generation"], "generation")
        expect_equal(sum(each["text"].startswith("added") for each in told), 2, "added ones")
    with report.check("--since and --until narrow it to a time"):
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(began + 1))
        since = node.json("events", "--since", moment, "--name", "default/web")
        expect_equal([each["text"] for each in since], [last["text"]])
        until = node.json("events", "--until", moment, "--name", "default/web")
        expect(len(until) == len(told) - 1, until)
    with report.check("a change that is refused is told with its owner"):
        node.ctl("apply", "--owner", "other", "-f", "-", stdin=web(node, "10.244.1.12"),
                 check=False)
        told = lines(node, "--kind", "refusals")
        expect(len(told) == 1 and told[0].startswith("other refusals : apply refused: ")
               and "belongs to feeder" in told[0], told)


def happenings(report, node):
    with report.check("a pod's port is told of with the program that attached it"):
        pod = node.add_pod("seen")
        pod.remove()
        told = lines(node, "--kind", "ports", "--name", "default/seen")
        expect(len(told) == 2 and "attached with " in told[0] and told[1].endswith(": detached")
               and all(each.startswith("podlanectl ports ") for each in told), told)
    with report.check("a link that goes down and comes back is told of"):
        node.namespace.ip("link", "set", "eth1", "down")
        wait_until(lambda: any("link is down" in each for each in lines(node, "--kind", "links")),
                   20, "the news")
        node.namespace.ip("link", "set", "eth1", "up")
        wait_until(lambda: any("up again" in each for each in lines(node, "--kind", "links")),
                   20, "the news")


def table(report, node):
    with report.check("the table has time, generation, owner, kind, name and what"):
        text = node.ctl("events", "--kind", "svc").stdout.splitlines()
        expect_equal(text[0].split(), ["TIME", "GENERATION", "BY", "KIND", "NAME", "WHAT"])
        expect_equal(text[1].split()[2:], ["feeder", "services", "default/web", "added"])
    with report.check("with log-level debug changes stand in the log, with info they do not"):
        node.ctl("log-level", "debug")
        node.ctl("apply", "--owner", "feeder", "-f", "-", stdin=web(node, "10.244.1.13"))
        wait_until(lambda: "+10.244.1.13:" in node.daemon.output(), 5, "the line in the log")
        node.ctl("log-level", "info")
        node.ctl("apply", "--owner", "feeder", "-f", "-", stdin=web(node, "10.244.1.14"))
        expect("+10.244.1.14:" not in node.daemon.output(), "told with info")


def followed(report, node):
    with report.check("-f tells at once what happens, a JSON line each"):
        process = node.namespace.spawn(
            [program("podlanectl"), "--socket", node.socket, "events", "-f", "-o", "json", "-n",
             "1"], "/run/lab/events.log")

        def told():
            return [json.loads(line) for line in process.output().splitlines()
                    if line.startswith("{")]

        wait_until(lambda: len(told()) == 1, 10, "the last one before")
        node.ctl("delete", "--owner", "feeder", "svc", "default/web")
        wait_until(lambda: any(each["text"] == "deleted" for each in told()), 5, "the news")
        process.stop()


@lab.with_cluster(names=("a",), outside=False)
def tests(report, options, cluster):
    node = cluster.nodes["a"]
    changes(report, node)
    happenings(report, node)
    table(report, node)
    followed(report, node)


if __name__ == "__main__":
    lab.main(tests)
