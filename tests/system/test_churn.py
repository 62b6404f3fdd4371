"""Endpoints that come and go under load: live ones never fail, connections keep theirs."""

import random
import time

import cluster as lab
from checks import expect, expect_equal
from lab import objects

SECONDS = 30
CLIENTS = 50
HELD = 20
PERIOD = 0.010
TARGETS = [("lines", "TCP", lab.LINES), ("udp", "UDP", lab.UDP)]
PORTS = [objects.port(80, lab.LINES, name="lines"),
         objects.port(80, lab.UDP, name="udp", protocol="UDP")]
SERVICE = {4: "10.96.0.20", 6: "fd00:10:96::20"}


def slice_of(family, pods, terminating=()):
    endpoints = [objects.endpoint(pod.address(family), pod.node.name) for pod in pods]
    endpoints += [objects.endpoint(pod.address(family), pod.node.name, ready=False,
                                   terminating=True) for pod in terminating]
    return objects.endpoint_slice(f"churn{family}", endpoints, TARGETS, family=family)


def change_endpoints(cluster, family, pods, seconds):
    """Publishes a new random set of ready endpoints each period; returns the apply times."""
    choose = random.Random(20)
    connections = [node.rpc() for node in cluster.nodes.values()]
    took = []
    started = time.monotonic()
    while (now := time.monotonic()) < started + seconds:
        ready = choose.sample(pods, choose.randint(1, len(pods)))
        rest = [pod for pod in pods if pod not in ready]
        leaving = choose.sample(rest, choose.randint(0, len(rest)))
        document = objects.document(slice_of(family, ready, leaving))
        for connection in connections:
            before = time.monotonic()
            connection.call("apply", documents=document)
            took.append(time.monotonic() - before)
        time.sleep(max(0.0, now + PERIOD - time.monotonic()))
    for connection in connections:
        connection.close()
    return sorted(took), time.monotonic() - started


def churn(report, cluster, family, pods, clients):
    seconds = SECONDS if family == 4 else SECONDS / 3
    running = [
        lab.spawn_call(client.namespace, "load", address=SERVICE[family], port=80,
                       clients=CLIENTS // len(clients), held=HELD // len(clients),
                       seconds=seconds + 1, pause=0.1)
        for client in clients
    ]
    time.sleep(0.5)
    took, lasted = change_endpoints(cluster, family, pods, seconds)
    changes = len(took) // len(cluster.nodes)
    report.note(f"IPv{family}: {changes} changes on each node in {lasted:.0f} s, apply "
                f"median {took[len(took) // 2] * 1e3:.1f} ms, "
                f"99 % {took[len(took) * 99 // 100] * 1e3:.1f} ms")
    results = [lab.result_of(process, seconds + 30) for process in running]
    done = sum(result["done"] for result in results)
    report.note(f"IPv{family}: {done} requests, slowest {max(r['slowest'] for r in results)} s")
    with report.check(f"IPv{family}: endpoints changed at least 20 times a second"):
        expect(changes >= 20 * seconds, f"{changes} changes in {seconds} s")
    with report.check(f"IPv{family}: no request of {CLIENTS} parallel clients failed"):
        expect(done > CLIENTS * seconds, f"only {done} requests done")
        failures = [failure for result in results for failure in result["failures"]]
        expect_equal(sum(result["failed"] for result in results), 0, f"failed, such as {failures}")
    with report.check(f"IPv{family}: {HELD} established connections kept their endpoint"):
        moved = [text for result in results for text in result["moved"]]
        expect_equal(moved, [], "moved or broken")
        expect(all(result["held_requests"] > seconds for result in results), "too few requests")
    with report.check(f"IPv{family}: every endpoint served"):
        served = {server for result in results for server in result["servers"]}
        expect_equal(served, {pod.name for pod in pods})


def udp_moves(report, cluster, family, pods, client):
    """A UDP flow of a removed endpoint goes to another one at once."""
    cluster.apply(slice_of(family, pods))
    with report.check(f"IPv{family}: a UDP flow stays with its endpoint, and moves when it goes"):
        def ask():
            return lab.call(client.namespace, "ask_udp", address=SERVICE[family], port=80, count=5,
                            source_port=5000)["answers"]

        first = {server for server, _ in ask()}
        expect(len(first) == 1, f"one source port, several endpoints: {first}")
        left = [pod for pod in pods if pod.name not in first]
        cluster.apply(slice_of(family, left))
        second = {server for server, _ in ask()}
        expect(len(second) == 1 and second != first, f"{first}, then {second}")
        expect(second <= {pod.name for pod in left}, f"{second} is not an endpoint")


@lab.with_cluster(outside=False)
def tests(report, _options, cluster):
    clients = [cluster.pod(node, f"client-{node}", servers=False) for node in cluster.nodes]
    pods = [cluster.pod(node, f"server-{node}{number}") for node in cluster.nodes
            for number in range(2)]
    for family in (4, 6):
        cluster.apply(objects.service(f"churn{family}", [SERVICE[family]], PORTS),
                      slice_of(family, pods))
        churn(report, cluster, family, pods, clients)
        udp_moves(report, cluster, family, pods, clients[0])


if __name__ == "__main__":
    lab.main(tests, workers=1)
