#include "lib/dpdk/wake_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace podlane {

Result<int> open_doorbell(const std::string& ifname) {
    // No protocol yet: frames come only after bind(), when the filter is in place.
    const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return Error{fmt::format("open packet socket: {}", std::strerror(errno))};
    sock_filter keep_one_byte = BPF_STMT(BPF_RET | BPF_K, 1);
    const sock_fprog program{.len = 1, .filter = &keep_one_byte};
    const int smallest = 1;
    const int on = 1;
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(ifname.c_str()));
    const bool ready =
        address.sll_ifindex != 0 &&
        ::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0 &&
        ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest)) == 0 &&
        ::setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) == 0 &&
        ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
    if (!ready) {
        const Error error{fmt::format("packet socket on {}: {}", ifname, std::strerror(errno))};
        ::close(fd);
        return error;
    }
    return fd;
}

void clear_doorbell(int fd) noexcept {
    char byte = 0;
    // The queue holds a handful; the limit keeps a flood from holding the worker here.
    for (int i = 0; i < 64; ++i) {
        if (::recv(fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC) < 0) return;
    }
}

}  // namespace podlane
