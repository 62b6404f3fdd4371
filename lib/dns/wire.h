// DNS messages on the wire: RFC 1035 section 4.1, EDNS0 by RFC 6891.
//
// Numbers and the header, for lib/dns and the DNS server in control. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "lib/base/bytes.h"

namespace podlane {

/// RFC 1035 section 4.1.1.
struct DnsHeader {
    be16 id;
    be16 flags;  ///< DnsFlag bits, opcode, rcode
    be16 questions;
    be16 answers;
    be16 authorities;
    be16 additionals;
};
static_assert(sizeof(DnsHeader) == 12 && std::is_trivially_copyable_v<DnsHeader>);

/// Bits of DnsHeader::flags.
enum DnsFlag : uint16_t {
    kDnsResponse = 0x8000,
    kDnsOpcodeMask = 0x7800,
    kDnsAuthoritative = 0x0400,
    kDnsTruncated = 0x0200,
    kDnsRecursionDesired = 0x0100,
    kDnsRecursionAvailable = 0x0080,
    kDnsCheckingDisabled = 0x0010,
    kDnsRcodeMask = 0x000f,
};

/// Types of records and questions that get special treatment.
enum DnsType : uint16_t {
    kDnsA = 1,
    kDnsNs = 2,
    kDnsCname = 5,
    kDnsSoa = 6,
    kDnsPtr = 12,
    kDnsTxt = 16,
    kDnsAaaa = 28,
    kDnsSrv = 33,
    kDnsOpt = 41,
    kDnsIxfr = 251,
    kDnsAxfr = 252,
    kDnsAny = 255,
};

inline constexpr uint16_t kDnsClassIn = 1;

/// Response codes; kBadVersion does not fit the header and is completed by EDNS0's OPT record.
enum class DnsRcode : uint8_t {
    kNoError = 0,
    kFormErr = 1,
    kServFail = 2,
    kNxDomain = 3,
    kNotImp = 4,
    kRefused = 5,
    kBadVersion = 16,
};

inline constexpr uint16_t kDnsPort = 53;
/// A name with its length bytes and the root's zero; a label. RFC 1035 section 2.3.4.
inline constexpr size_t kMaxDnsName = 255;
inline constexpr size_t kMaxDnsLabel = 63;
/// The largest answer over UDP to a client that names no size.
inline constexpr size_t kMinDnsUdpBytes = 512;
/// The largest answer over UDP that we send: passes every path without fragments.
inline constexpr size_t kMaxDnsUdpBytes = 1232;
inline constexpr size_t kMaxDnsMessage = 65535;

}  // namespace podlane
