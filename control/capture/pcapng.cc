#include "control/capture/pcapng.h"

#include <cstring>

namespace podlane::control {

namespace {

// Types of blocks and options: draft-ietf-opsawg-pcapng, sections 4 and 3.5.
constexpr uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr uint32_t kInterfaceDescription = 1;
constexpr uint32_t kInterfaceStatistics = 5;
constexpr uint32_t kEnhancedPacket = 6;
constexpr uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr uint16_t kEndOfOptions = 0, kComment = 1;
constexpr uint16_t kUserApplication = 4;
constexpr uint16_t kInterfaceName = 2, kTimeResolution = 9;
constexpr uint16_t kPacketFlags = 2, kPacketId = 5;
constexpr uint16_t kStatisticsDropped = 5;
constexpr uint16_t kLinkEthernet = 1;
constexpr uint32_t kInbound = 1, kOutbound = 2;
constexpr uint8_t kNanoseconds = 9;  // 10^-9
/// Longest comment: an option's length field has 16 bits.
constexpr size_t kMostText = 4096;

/// A block being built; its length is written at both ends.
class Block {
  public:
    Block(std::string& out, uint32_t type) : out_(out), begin_(out.size()) {
        put(type);
        put(uint32_t{0});
    }
    ~Block() {
        const auto length = static_cast<uint32_t>(out_.size() - begin_ + sizeof(uint32_t));
        put(length);
        std::memcpy(&out_[begin_ + sizeof(uint32_t)], &length, sizeof(length));
    }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    template <class T>
    void put(T value) {
        char bytes[sizeof(T)];
        std::memcpy(bytes, &value, sizeof(T));
        out_.append(bytes, sizeof(T));
    }
    /// Padded to whole 32-bit words.
    void put_bytes(const void* data, size_t bytes) {
        out_.append(static_cast<const char*>(data), bytes);
        out_.append((4 - bytes % 4) % 4, '\0');
    }
    void put_option(uint16_t code, const void* data, size_t bytes) {
        put(code);
        put(static_cast<uint16_t>(bytes));
        put_bytes(data, bytes);
    }
    void put_option(uint16_t code, std::string_view text) {
        text = text.substr(0, kMostText);
        put_option(code, text.data(), text.size());
    }
    void end_options() {
        put(kEndOfOptions);
        put(uint16_t{0});
    }

  private:
    std::string& out_;
    const size_t begin_;
};

void put_time(Block& block, uint64_t time_ns) {
    block.put(static_cast<uint32_t>(time_ns >> 32));
    block.put(static_cast<uint32_t>(time_ns));
}

}  // namespace

PcapngWriter::PcapngWriter(std::string& out, std::string_view application) : out_(out) {
    Block block(out_, kSectionHeader);
    block.put(kByteOrderMagic);
    block.put(uint16_t{1});  // version 1.0
    block.put(uint16_t{0});
    block.put(~uint64_t{0});  // the section's length is not given
    block.put_option(kUserApplication, application);
    block.end_options();
}

uint32_t PcapngWriter::interface_id(std::string_view name) {
    const auto found = interfaces_.find(name);
    if (found != interfaces_.end()) return found->second;
    const auto id = static_cast<uint32_t>(interfaces_.size());
    interfaces_.emplace(name, id);
    Block block(out_, kInterfaceDescription);
    block.put(kLinkEthernet);
    block.put(uint16_t{0});
    block.put(uint32_t{0});  // frames may be of any length
    block.put_option(kInterfaceName, name);
    block.put_option(kTimeResolution, &kNanoseconds, sizeof(kNanoseconds));
    block.end_options();
    return id;
}

void PcapngWriter::add(const PcapngPacket& packet) {
    const uint32_t interface = interface_id(packet.interface);
    last_ns_ = packet.time_ns;
    Block block(out_, kEnhancedPacket);
    block.put(interface);
    put_time(block, packet.time_ns);
    block.put(static_cast<uint32_t>(packet.bytes.size()));
    block.put(packet.wire_bytes);
    block.put_bytes(packet.bytes.data(), packet.bytes.size());
    if (!packet.comment.empty()) block.put_option(kComment, packet.comment);
    const uint32_t flags = packet.is_outbound ? kOutbound : kInbound;
    block.put_option(kPacketFlags, &flags, sizeof(flags));
    block.put_option(kPacketId, &packet.packet_id, sizeof(packet.packet_id));
    block.end_options();
}

void PcapngWriter::finish(uint64_t missed) {
    for (const auto& [name, id] : interfaces_) {
        Block block(out_, kInterfaceStatistics);
        block.put(id);
        put_time(block, last_ns_);
        // Counted for all interfaces together, so written once.
        if (id == 0) block.put_option(kStatisticsDropped, &missed, sizeof(missed));
        block.end_options();
    }
}

}  // namespace podlane::control
