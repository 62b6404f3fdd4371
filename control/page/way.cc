#include "control/page/way.h"

#include <algorithm>
#include <array>

namespace podlane::control {

namespace {

enum Place : uint8_t { kDevice, kParse, kDecap, kLookUp, kDefer, kSlow, kJoin, kForward, kTx };

constexpr auto kDeviceCounts = std::to_array<WayCount>(
    {{"received", "/frames/received"}, {"lost before", "/frames/lostBefore"}});
constexpr auto kParseCounts =
    std::to_array<WayCount>({{"in", "/stages/parse/in"}, {"out", "/stages/parse/out"}});
constexpr auto kDecapCounts =
    std::to_array<WayCount>({{"in", "/stages/decap/in"}, {"out", "/stages/decap/out"}});
constexpr auto kLookUpCounts = std::to_array<WayCount>({{"in", "/stages/lookup/in"},
                                                        {"out", "/stages/lookup/out"},
                                                        {"new connections", "/flows/created"}});
constexpr auto kDeferCounts =
    std::to_array<WayCount>({{"in", "/stages/defer/in"}, {"put aside", "/stages/defer/out"}});
constexpr auto kSlowCounts = std::to_array<WayCount>({{"in", "/stages/slow_path/in"},
                                                      {"out", "/stages/slow_path/out"},
                                                      {"made", "/frames/made"},
                                                      {"taken", "/frames/taken"},
                                                      {"held now", "/frames/held", false}});
constexpr auto kJoinCounts =
    std::to_array<WayCount>({{"in", "/stages/join/in"}, {"out", "/stages/join/out"}});
constexpr auto kForwardCounts =
    std::to_array<WayCount>({{"in", "/stages/forward/in"}, {"out", "/stages/forward/out"}});
constexpr auto kTxCounts = std::to_array<WayCount>({{"in", "/stages/tx/in"},
                                                    {"out", "/stages/tx/out"},
                                                    {"sent", "/frames/sent"},
                                                    {"lost after", "/frames/lostAfter"}});

constexpr auto kStages = std::to_array<WayStage>({
    {"rx", "frames leave the ports' queues", kDeviceCounts},
    {"parse", "one bounds-checked pass; plain packets leave the tunnel", kParseCounts},
    {"decap", "out of the tunnel, those of parse included", kDecapCounts},
    {"look up", "flow table, bridge", kLookUpCounts},
    {"defer", "new connections wait while more comes than can be looked at", kDeferCounts},
    {"slow path", "first packets are decided; ARP, ND, DNS, errors", kSlowCounts},
    {"join", "pieces of one connection become one packet", kJoinCounts},
    {"forward", "rewrite, next hop, tunnel header", kForwardCounts},
    {"tx", "by port; segments frames that are too large", kTxCounts},
});

struct Home {
    Drop reason;
    Place place;
};
using enum Drop;
constexpr auto kHomes = std::to_array<Home>({
    {kDeviceMissed, kDevice},
    {kDeviceRxError, kDevice},
    {kDeviceNoBuffer, kDevice},
    {kFrameTooShort, kParse},
    {kIpTruncated, kParse},
    {kIpBadVersion, kParse},
    {kIpBadHeaderLength, kParse},
    {kIpBadTotalLength, kParse},
    {kIpBadChecksum, kParse},
    {kIpBadAddress, kParse},
    {kIpTooManyExtensions, kParse},
    {kL4Truncated, kParse},
    {kL4BadLength, kParse},
    {kFragmentTiny, kParse},
    {kUnknownEtherType, kParse},
    {kVlanUnexpected, kParse},
    {kNotForUs, kParse},
    {kSourceRouted, kParse},
    {kOffloadBadChecksum, kParse},
    {kOffloadBadSegments, kParse},
    {kUnknownVni, kDecap},
    {kTunnelBadHeader, kDecap},
    {kTunnelBadInner, kDecap},
    {kTunnelCongestion, kDecap},
    {kTunnelNotOurMac, kDecap},
    {kTunnelStranger, kDecap},
    {kTunnelLinkTraffic, kDecap},
    {kBridgeSamePort, kLookUp},
    {kMacSpoofed, kLookUp},
    {kPodMacSpoofed, kLookUp},
    {kNewFlowOverload, kDefer},
    {kNoHeadroom, kForward},
    {kPortDown, kTx},
    {kTxFull, kTx},
    {kTxTooLong, kTx},
    {kHandoffFull, kTx},
    {kDeviceTxError, kTx},
});

}  // namespace

std::span<const WayStage> way_stages() noexcept {
    return kStages;
}

size_t stage_of(Drop reason) noexcept {
    const auto found = std::ranges::find(kHomes, reason, &Home::reason);
    return found == kHomes.end() ? kSlow : found->place;
}

}  // namespace podlane::control
