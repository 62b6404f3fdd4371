#!/bin/sh
# Installs the Debian packages that are missing:
# scripts/deps.sh [build] [test] [demo] [bench] [pods] [ovs] [package]
# (default: the first three). Does not use the network when nothing is missing.
set -eu

build="g++ make meson ninja-build pkg-config python3 libdpdk-dev libboost-dev
       libboost-program-options-dev libfmt-dev libspdlog-dev libnl-3-dev libnl-route-3-dev
       libldns-dev libpcap-dev libyaml-cpp-dev nlohmann-json3-dev rapidjson-dev libssl-dev
       libcurl4-openssl-dev liburing-dev libseccomp-dev libbpf-dev clang"
test="libgtest-dev libgmock-dev libbenchmark-dev mold clang libclang-rt-dev clang-format clang-tidy
      bird2 curl iproute2 iputils-ping ethtool tcpdump procps util-linux python3-yaml
      python3-numpy nftables nginx-light openssl bind9-dnsutils dnsperf musl-tools zsh groff
      containernetworking-plugins crun debhelper dpdk-dev fakeroot lintian prometheus
      tmux chromium chromium-driver fonts-dejavu-core nfdump tshark busybox-static
      isc-dhcp-client"
demo="nginx-light php-fpm php-mysql mariadb-server-core mariadb-client-core curl iproute2
      ethtool procps util-linux python3-yaml"
bench="dpdk-dev python3-numpy libbenchmark-dev"
ovs="openvswitch-switch-dpdk iproute2 util-linux"
# dpdk-devbind.py, lspci and modprobe: giving a NIC to podlaned.
nic="dpdk pciutils kmod"
# tests/nic: an emulated machine with a NIC.
guest="$nic qemu-system-x86 seabios ipxe-qemu busybox-static cpio curl iproute2 iputils-ping
       util-linux"
pods="iperf3 wrk nginx-light nftables iproute2 ethtool util-linux"
package="debhelper fakeroot lintian mmdebstrap"

[ $# -gt 0 ] || set -- build nic test demo
wanted=
for purpose in "$@"; do
    case $purpose in
        build) wanted="$wanted $build" ;;
        test) wanted="$wanted $test" ;;
        demo) wanted="$wanted $demo" ;;
        bench) wanted="$wanted $bench" ;;
        ovs) wanted="$wanted $ovs" ;;
        nic) wanted="$wanted $nic" ;;
        guest) wanted="$wanted $guest" ;;
        pods) wanted="$wanted $pods" ;;
        package) wanted="$wanted $package" ;;
        *)
            echo "deps.sh: $purpose is none of build, test, demo, bench, pods, ovs, package" >&2
            exit 2
            ;;
    esac
done

missing=
for package in $wanted; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "installing:$missing"
root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "deps.sh: needs root to install:$missing" >&2; exit 1; }
    root=sudo
fi

# The demo and the bench run their own nginx, php-fpm and Open vSwitch: the packages' services are
# neither started now nor at the next boot.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | $root tee $policy >/dev/null
    $root chmod 755 $policy
    trap '$root rm -f $policy' EXIT
    trap 'exit 1' INT TERM
fi
$root apt-get -q update
# shellcheck disable=SC2086
$root env DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends install $missing
if command -v systemctl >/dev/null; then
    for package in $missing; do
        case $package in
            bird2) $root systemctl --quiet disable bird.service || true ;;
            nginx-light) $root systemctl --quiet disable nginx.service || true ;;
            prometheus) $root systemctl --quiet disable prometheus.service \
                prometheus-node-exporter.service || true ;;
            openvswitch-switch-dpdk)
                $root systemctl --quiet disable openvswitch-switch.service || true ;;
            php-fpm)
                for unit in /lib/systemd/system/php*-fpm.service; do
                    $root systemctl --quiet disable "$(basename "$unit")" || true
                done ;;
        esac
    done
fi
