"""The page in a real Chromium: pods, Services, peers and rates; keyboard, dark mode, 400 pods."""

import json
import os

import cluster as lab
from checks import expect, expect_equal
from lab import objects
from lab.net import Namespace, run, wait_until

import browser as web

PLACE = "http://127.0.0.1:9967"
CLUSTER_IP = "10.96.0.20"
HOSTILE = "<img src=x onerror=document.title=1>"
MANY = 400

# Whether any two boxes overlap, whether a text leaves its box, and how small the text is.
LOOK = """
const boxes = [...document.querySelectorAll('.thing')].map((thing) => {
  const { x, y, right, bottom } = thing.querySelector('.box').getBoundingClientRect();
  const texts = [...thing.querySelectorAll('text')].map((text) => text.getBoundingClientRect());
  return { id: thing.dataset.id, x, y, right, bottom, texts };
});
const overlaps = [], outside = [];
boxes.forEach((one, i) => {
  for (const other of boxes.slice(i + 1)) {
    const isAside = one.x >= other.right || other.x >= one.right;
    if (!isAside && one.y < other.bottom && other.y < one.bottom) overlaps.push([one.id, other.id]);
  }
  const filled = one.texts.filter((text) => text.width > 0);
  for (const text of filled) {
    if (text.x < one.x || text.right > one.right + 0.5) outside.push(one.id);
  }
  for (let j = 1; j < filled.length; ++j) {
    const [left, right] = [filled[j - 1], filled[j]];
    if (Math.abs(left.y - right.y) < 3 && left.right > right.x) outside.push(`in ${one.id}`);
  }
});
const size = parseFloat(getComputedStyle(document.querySelector('.thing .title')).fontSize);
return { count: boxes.length, overlaps: overlaps.slice(0, 5), outside: outside.slice(0, 5), size,
  names: boxes.map((one) => one.id) };
"""
# The contrast of the page's text with its background, as WCAG 2 defines it.
CONTRAST = """
const light = (text) => {
  const [r, g, b] = text.match(/[0-9.]+/g).map(Number).map((each) => {
    const part = each / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const of = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
const body = getComputedStyle(document.body);
const pod = document.querySelector('.thing.pod');
return { back: light(body.backgroundColor),
  page: of(light(body.color), light(body.backgroundColor)),
  pod: of(light(getComputedStyle(pod.querySelector('.title')).fill),
          light(getComputedStyle(pod.querySelector('.box')).fill)),
  dim: of(light(getComputedStyle(document.getElementById('keys')).color),
          light(body.backgroundColor)) };
"""
# Random nodes of many sizes, laid out for many widths: what overlaps, and what arrows do not reach.
LAYOUTS = """
return (async () => {
  const { layout } = await import('/page/layout.js');
  const { nearest } = await import('/page/keys.js');
  let seed = 1;
  const pick = (list) => list[(seed = (seed * 48271) % 2147483647) % list.length];
  const ids = (kind, count) => Array.from({ length: count }, (_, i) => `${kind} ${i}`);
  const bad = [];
  for (let turn = 0; turn < arguments[0]; ++turn) {
    const uplinks = ids('uplink', pick([0, 1, 2, 4]));
    const things = { uplinks, hosts: ids('host', pick([0, 1, 2])),
      pods: ids('pod', pick([0, 1, 5, 24, 25, 120, 121, 400])),
      services: ids('service', pick([0, 1, 3, 31, 60, 200])),
      peers: ids('peer', pick([0, 1, 3, 13, 500])).map((id) => ({ id, port: pick(uplinks) })) };
    const width = pick([100, 340, 640, 899, 900, 1280, 1920, 3840]);
    const { boxes, width: whole, height } = layout(things, width);
    boxes.forEach((one, i) => {
      if (!(one.x >= 0 && one.y >= 0 && one.x + one.w <= whole && one.y + one.h <= height)) {
        bad.push(['outside', width, one]);
      }
      for (const other of boxes.slice(i + 1)) {
        const isAside = one.x >= other.x + other.w || other.x >= one.x + one.w;
        const isAbove = one.y >= other.y + other.h || other.y >= one.y + one.h;
        if (!isAside && !isAbove) bad.push(['overlap', width, one, other]);
      }
    });
    const reached = new Set(['bridge']);
    const ahead = boxes.filter((one) => one.id === 'bridge');
    while (ahead.length) {
      const from = ahead.pop();
      for (const way of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        const next = nearest(boxes, from, way);
        if (next && !reached.has(next.id)) ahead.push(next);
        if (next) reached.add(next.id);
      }
    }
    for (const one of boxes) if (!reached.has(one.id)) bad.push(['unreached', width, one]);
  }
  return bad.slice(0, 3);
})();
"""


def text_of(browser, selector):
    return browser.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector)


def label_of(browser, thing):
    return browser.run("return document.querySelector(`[data-id=\"${arguments[0]}\"]`)"
                       "?.getAttribute('aria-label') ?? ''", thing)


def focused(browser):
    return browser.run("return document.activeElement?.dataset?.id ?? ''")


def wait_for_rates(browser):
    wait_until(lambda: int(browser.run("return document.body.dataset.samples ?? 0")) >= 2, 30,
               "two answers with numbers")


def next_numbers(browser):
    before = browser.run("return document.body.dataset.samples")
    wait_until(lambda: browser.run("return document.body.dataset.samples") != before, 20,
               "the next numbers")


def answers(report, node):
    fetch = lambda path, *words: node.namespace.run(
        ["curl", "-s", "-m", "10", "-i", *words, PLACE + path]).stdout
    with report.check("the page and its data carry their guards, and name no other host"):
        for path in ("/", "/page/main.js", "/page/node.json", "/page/numbers.json"):
            answer = fetch(path)
            expect(answer.startswith("HTTP/1.1 200 "), answer[:200])
            expect("content-security-policy: default-src 'none'; script-src 'self'"
                   in answer.lower(), answer[:800])
    with report.check("a name of another site is refused, and no method changes anything"):
        expect(" 403 " in fetch("/page/node.json", "-H", "Host: evil.example").split("\n")[0], "")
        expect(" 405 " in fetch("/page/node.json", "-X", "POST").split("\n")[0], "")
        expect(" 404 " in fetch("/page/other.js").split("\n")[0], "")
    with report.check("numbers are those of stats, rows those of get"):
        told = json.loads(fetch("/page/node.json").replace("\r\n", "\n").partition("\n\n")[2])
        expect_equal([row["name"] for row in told["ports"]["items"]],
                     [row["name"] for row in node.json("get", "ports")], "ports")
        numbers = json.loads(fetch("/page/numbers.json").replace("\r\n", "\n").partition("\n\n")[2])
        expect_equal(sorted(numbers["stats"]["drops"]), sorted(node.stats()["drops"]), "drops")


def shows(report, browser, node, client):
    pod, service = "port default/client", "service default/web"
    with report.check("the page shows uplink, bridge, pods, Services and the other node"):
        things = browser.run(LOOK)["names"]
        for wanted in ("port uplink0", "bridge", pod, "port default/web", service, "peer node-b"):
            expect(wanted in things, f"{wanted}: {things}")
        expect("node-a" in text_of(browser, "#node"), text_of(browser, "#node"))
    with report.check("rates of pods, Services and the uplink's edge move"):
        wait_until(lambda: "0/s packets" not in label_of(browser, pod), 20, "the pod's rate")
        wait_until(lambda: "0/s new" not in label_of(browser, service), 20, "the Service's rate")
        expect("/s" in text_of(browser, "text.edge"), "no rate at an edge")
        widths = browser.run("return document.querySelectorAll('.level2, .level3').length")
        expect(widths >= 2, f"{widths} edges that are busy")
    with report.check("the other node shows what goes to and from it"):
        peer = '[data-id="peer node-b"]'
        wait_until(lambda: "/s packets" in label_of(browser, "peer node-b")
                   and " 0/s packets" not in label_of(browser, "peer node-b"), 20, "its rate")
        expect("bit/s" in text_of(browser, f"{peer} .sub"), text_of(browser, peer))
        browser.click(f"{peer} .box")
        panel = text_of(browser, "#panel")
        expect("from it" in panel and "bit/s" in panel, panel[:800])
        browser.press("Escape")
    with report.check("plots have lines, and the packet's way counts at each stage"):
        drawn = browser.run("return document.querySelectorAll('#plots .uplot canvas').length")
        expect(drawn >= 5, f"{drawn} plots")
        stages = browser.run("return [...document.querySelectorAll('#way h3')]"
                             ".map((each) => each.textContent)")
        expect_equal(stages, ["rx", "parse", "decap", "look up", "defer", "slow path", "join",
                              "forward", "tx"], "stages")
        received = node.stats()["frames"]["received"]
        told = text_of(browser, "#way li:nth-child(1) .number").replace("\u2009", "")
        expect(0 < int("".join(filter(str.isdigit, told))) <= received, (told, received))
    with report.check("a drop has its reason, stage and help on the way"):
        lab.call(client.namespace, "ask", check=False, address="10.96.77.77", port=80, count=1)
        wait_until(lambda: "service_unallocated" in text_of(browser, "#way li:nth-child(6) .drops"),
                   20, "service_unallocated in the slow path")


def opens(report, browser, client):
    with report.check("a click on a pod opens its addresses, flows and policies"):
        browser.click('[data-id="port default/client"] .box')
        wait_until(lambda: CLUSTER_IP in text_of(browser, "#panel"), 20, "its flows")
        panel = text_of(browser, "#panel")
        for part in (client.address(4), "ESTABLISHED", "default/only-web", "dropped from it"):
            expect(part in panel, f"{part}: {panel[:800]}")
        expect(browser.run("const { top, bottom } = document.getElementById('panel')"
                           ".getBoundingClientRect(); return top < innerHeight && bottom > 0"),
               "the panel is out of sight")
    with report.check("a Service leads to its endpoints, Escape closes"):
        browser.click('[data-id="service default/web"] .box')
        wait_until(lambda: CLUSTER_IP in text_of(browser, "#panel"), 20, "where it is served")
        kin = browser.run("return [...document.querySelectorAll('.thing.kin')]"
                          ".map((each) => each.dataset.id)")
        expect_equal(kin, ["port default/web"], "endpoints")
        browser.press("Escape")
        expect(browser.run("return document.getElementById('panel').hidden"), "still open")


def keyboard(report, browser):
    with report.check("Tab reaches the picture, arrows move in it, Enter opens"):
        browser.run("document.activeElement.blur(); document.querySelector('#find').focus()")
        for _ in range(8):
            browser.press("Tab")
            if focused(browser):
                break
        browser.press("ArrowDown")
        first = focused(browser)
        browser.run("document.querySelector('[data-id=bridge]').focus()")
        expect_equal(focused(browser), "bridge", "focus")
        browser.press("ArrowDown")
        pod = focused(browser)
        expect(pod.startswith("port default/"), f"below the bridge: {pod} ({first})")
        browser.press("ArrowUp")
        expect_equal(focused(browser), "bridge", "above a pod")
        browser.press("ArrowRight")
        expect(focused(browser).startswith("service "), f"right of it: {focused(browser)}")
        browser.press("Enter")
        expect("Service" in text_of(browser, "#panel"), "Enter opens nothing")
    with report.check("of nodes of any size nothing overlaps, and arrows reach everything"):
        expect_equal(browser.run(LAYOUTS, 300), [], "faults")
    with report.check("what has the focus is seen, and keeps it while numbers change"):
        before = focused(browser)
        stroke = browser.run("return getComputedStyle(document.activeElement.querySelector('.box'))"
                             ".strokeWidth")
        expect_equal(stroke, "3px", "focus ring")
        next_numbers(browser)
        expect_equal(focused(browser), before, "focus")
        browser.press("Escape")
    with report.check("/ finds: other pods leave the picture"):
        browser.press("/", "c", "l", "i", "e")
        wait_until(lambda: "port default/web" not in browser.run(LOOK)["names"], 10, "fewer pods")
        expect("port default/client" in browser.run(LOOK)["names"], "the one that fits is gone")
        browser.run("const find = document.querySelector('#find'); find.value = '';"
                    "find.dispatchEvent(new Event('input'))")
    with report.check("everything that can be pressed has a role and a name"):
        nameless = browser.run(
            "return [...document.querySelectorAll('[role=button], button, input')].filter((each) =>"
            " !(each.getAttribute('aria-label') || each.textContent.trim() || each.labels?.length))"
            ".length")
        expect_equal(nameless, 0, "nameless")
        stops = browser.run("return document.querySelectorAll('.thing[tabindex=\"0\"]').length")
        expect_equal(stops, 1, "things in Tab's way")


def schemes(report, browser):
    seen = {}
    for dark in (False, True):
        name = "dark" if dark else "light"
        browser.prefer_dark(dark)
        seen[name] = browser.run(CONTRAST)
        with report.check(f"text can be read in {name} colours (WCAG 2 AA)"):
            for part in ("page", "pod", "dim"):
                expect(seen[name][part] >= 4.5, seen[name])
    with report.check("the colours are those that are preferred"):
        expect(seen["dark"]["back"] < 0.05 < 0.8 < seen["light"]["back"], seen)
    browser.prefer_dark(False)


def screenshots(browser, folder):
    """For docs/: the page as the test has it."""
    browser.resize(1280, 1000)
    browser.run("document.activeElement.blur()")
    next_numbers(browser)
    browser.screenshot(os.path.join(folder, "page-light.png"))
    browser.prefer_dark(True)
    browser.click('[data-id="port default/client"] .box')
    wait_until(lambda: CLUSTER_IP in text_of(browser, "#panel"), 20, "its flows")
    browser.screenshot(os.path.join(folder, "page-dark.png"))
    browser.press("Escape")
    browser.prefer_dark(False)
    browser.resize(1280, 900)


def hostile(report, browser, node):
    with report.check("a name that is markup is shown as text"):
        node.ctl("pod", "add", f"default/{HOSTILE}", "--netns", node.hostile.path, "--address",
                 node.next_addresses()[0], check=False)
        shown = any(HOSTILE in row["name"] for row in node.json("get", "ports"))
        # podlaned may refuse the name; the browser gets it all the same.
        browser.run("const ask = window.fetch; window.fetch = async (...words) => {"
                    "const answer = await ask(...words);"
                    "if (!String(words[0]).endsWith('node.json')) return answer;"
                    "const node = await answer.json();"
                    "for (const row of node.ports.items) if (row.name === 'default/web')"
                    " { row.ifname = arguments[0]; row.device = arguments[0]; }"
                    "node.health.problems = [arguments[0]];"
                    "return new Response(JSON.stringify(node)); }".replace("arguments[0]",
                                                                          json.dumps(HOSTILE)))
        browser.click('[data-id="port default/web"] .box')
        wait_until(lambda: HOSTILE in text_of(browser, "#panel")
                   and HOSTILE in text_of(browser, "#problems"), 20, f"the text; {shown}")
        expect_equal(browser.run("return document.querySelectorAll('img').length"), 0, "images")
        expect(browser.run("return document.title") != "1", "it ran")
        browser.press("Escape")


def many(report, browser, node):
    """400 more pods, in namespaces of their own that are used for nothing else."""
    run(["ip", "-batch", "-"], stdin="".join(f"netns add crowd{i}\n" for i in range(MANY)))
    names = []
    rpc = node.rpc()
    for number in range(MANY):
        name = f"shop/web-{number * 7919 % 0xfffff:05x}-x{number:03d}"
        rpc.call("pod.add", pod=name, netns=f"/run/netns/crowd{number}",
                 addresses=[f"10.244.1.{number + 50}" if number < 200
                            else f"fd00:10:244:1::{number + 50:x}"])
        names.append(f"port {name}")
    with report.check(f"{MANY} pods are laid out without overlap, each name inside its box"):
        wait_until(lambda: set(names) <= set(browser.run(LOOK)["names"]), 60, "all of them")
        look = browser.run(LOOK)
        expect(not look["overlaps"] and not look["outside"], {**look, "names": ""})
        expect(look["size"] >= 11, f"text of {look['size']} px")
    with report.check("so they are in a window of 80 columns"):
        browser.resize(80 * 8, 900)
        wait_until(lambda: browser.run("return document.querySelector('#picture svg')"
                                       ".clientWidth") < 700, 20, "another layout")
        look = browser.run(LOOK)
        expect(not look["overlaps"] and not look["outside"], {**look, "names": ""})
        browser.resize(1280, 900)
    with report.check("arrows reach the last of them"):
        browser.run("document.querySelector('[data-id=bridge]').focus()")
        reached = set()
        for _ in range(75):
            browser.press("ArrowDown")
            reached.add(focused(browser))
        expect(len(reached) > 30, sorted(reached)[:5])
    with report.check("podlaned answers others while the page is looked at"):
        done = node.ctl("health", check=False, timeout=5)
        expect(done.returncode in (0, 3), done.stderr)
    for name in names:
        rpc.call("pod.del", pod=name.removeprefix("port "))
    rpc.close()


@lab.with_cluster(names=("a", "b"), outside=False)
def tests(report, options, cluster):
    node = cluster.nodes["a"]
    pods = [cluster.pod("a", "web"), cluster.pod("b", "far")]
    client = cluster.pod("a", "client", servers=False)
    for name in ("cart", "db", "cache", "search"):
        cluster.pod("a", name, servers=False)
    node.hostile = Namespace("hostile")
    cluster.apply(
        objects.pod("web", [pods[0].address(4)], node.name, labels={"app": "web"}),
        objects.pod("client", [client.address(4)], node.name, labels={"app": "client"}),
        objects.service("web", [CLUSTER_IP], [objects.port(80, lab.LINES, name="http")]),
        objects.service("far", ["10.96.0.21"], [objects.port(80, lab.LINES, name="http")]),
        objects.endpoint_slice("web", [objects.endpoint(pods[0].address(4), node.name)],
                               [("http", "TCP", lab.LINES)]),
        objects.endpoint_slice("far", [objects.endpoint(pods[1].address(4), "node-b")],
                               [("http", "TCP", lab.LINES)]),
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
         "metadata": {"name": "only-web", "namespace": "default"},
         "spec": {"podSelector": {"matchLabels": {"app": "client"}},
                  "policyTypes": ["Ingress"]}})
    answers(report, node)
    why_not = web.why_not()
    if why_not:
        report.skip("the page in Chromium", why_not)
        return
    for address, pause in ((CLUSTER_IP, 0.01), ("10.96.0.21", 0.02)):
        lab.spawn_call(client.namespace, "load", address=address, port=80, clients=2, held=2,
                       seconds=170, pause=pause)
    browser = web.Browser(node.namespace)
    try:
        browser.open(PLACE + "/")
        wait_for_rates(browser)
        shows(report, browser, node, client)
        opens(report, browser, client)
        keyboard(report, browser)
        schemes(report, browser)
        if options.screenshots:
            screenshots(browser, options.screenshots)
        with report.check("the browser has nothing to complain of"):
            # With a 503 the node asks for patience; the page tries again.
            expect_equal([line for line in browser.complaints() if "status of 503" not in line],
                         [], "complaints")
        hostile(report, browser, node)
        browser.open(PLACE + "/")
        many(report, browser, node)
    finally:
        browser.close()


if __name__ == "__main__":
    lab.main(tests, screenshots="")
