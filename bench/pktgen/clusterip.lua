-- Pktgen-DPDK: 24,576 UDP connections from a pod to the ClusterIP of objects.yaml, by ranges.
--
--   pktgen ... -- -P -m "1.0, 2.1" -f bench/pktgen/clusterip.lua
--
-- Port 0 sends, port 1 is where podlaned forwards to. It only sets the traffic up; `start 0` in
-- Pktgen sends it, rfc2544.lua measures with it.

local GATEWAY_MAC = "00:01:02:03:04:01"
local CLIENT_MAC = "00:01:02:03:04:00"
local PORT = "0"

-- As many as Pktgen has buffers. At each start it builds its frames again, from where it was in the
-- range: a longer range would open connections in the middle of a trial. And it counts ports with
-- 16 bits, so a range up to 65,535 does not begin again.
local FIRST_PORT, CONNECTIONS = 1024, 24576

-- A field's range: where it starts, from and to where it runs, by which step.
local function range(field, first, last, step)
    field(PORT, "start", first)
    field(PORT, "min", first)
    field(PORT, "max", last)
    field(PORT, "inc", step)
end

pktgen.range.dst_mac(PORT, "start", GATEWAY_MAC)
pktgen.range.src_mac(PORT, "start", CLIENT_MAC)
pktgen.range.ip_proto(PORT, "udp")
range(pktgen.range.src_ip, "10.244.0.10", "10.244.0.10", "0.0.0.0")
range(pktgen.range.dst_ip, "10.96.0.10", "10.96.0.10", "0.0.0.0")
range(pktgen.range.src_port, FIRST_PORT, FIRST_PORT + CONNECTIONS - 1, 1)
range(pktgen.range.dst_port, 80, 80, 0)
range(pktgen.range.ttl, 64, 64, 0)
range(pktgen.range.pkt_size, 64, 64, 0)
pktgen.set_range(PORT, "on")

-- The same for values without a range: latency probes and single packets.
pktgen.set_mac(PORT, "dst", GATEWAY_MAC)
pktgen.set_mac(PORT, "src", CLIENT_MAC)
pktgen.set_ipaddr(PORT, "src", "10.244.0.10/24")
pktgen.set_ipaddr(PORT, "dst", "10.96.0.10")
pktgen.set_proto(PORT, "udp")
pktgen.set(PORT, "sport", 40000)
pktgen.set(PORT, "dport", 80)
