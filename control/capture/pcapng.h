// A capture's file: pcapng (IETF draft-ietf-opsawg-pcapng), as tcpdump, tshark and Wireshark read
// it. In the byte order of this machine.
//
// podlanectl writes with it. Pure: blocks are appended to a text that the caller writes out.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace podlane::control {

/// One packet. Views live for the call.
struct PcapngPacket {
    std::string_view interface;  ///< its name; a new one is described before its first packet
    uint64_t time_ns = 0;        ///< since 1970
    bool is_outbound = false;
    uint32_t wire_bytes = 0;
    std::span<const uint8_t> bytes;  ///< an Ethernet frame, cut or whole
    std::string_view comment;        ///< empty: none
    uint64_t packet_id = 0;          ///< the same for one packet at several interfaces
};

class PcapngWriter {
  public:
    /// Begins the section. `application`: who writes, such as "podlanectl 0.1.0".
    PcapngWriter(std::string& out, std::string_view application);

    void add(const PcapngPacket& packet);
    /// Adds an interface without a packet, if it does not exist yet.
    void describe(std::string_view interface) { static_cast<void>(interface_id(interface)); }
    /// At the end: the number of packets that were missed.
    void finish(uint64_t missed);

  private:
    [[nodiscard]] uint32_t interface_id(std::string_view name);

    std::string& out_;
    std::map<std::string, uint32_t, std::less<>> interfaces_;
    uint64_t last_ns_ = 0;
};

}  // namespace podlane::control
