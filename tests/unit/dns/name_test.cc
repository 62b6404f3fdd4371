#include "lib/dns/name.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace podlane {
namespace {

using Bytes = std::vector<uint8_t>;

// Memory of the exact size, so that a sanitizer sees a read beyond it.
struct Exact {
    explicit Exact(std::string_view text)
        : size(text.size()), bytes(std::make_unique<uint8_t[]>(text.size())) {
        std::copy(text.begin(), text.end(), bytes.get());
    }
    [[nodiscard]] std::span<const uint8_t> span() const { return {bytes.get(), size}; }
    size_t size;
    std::unique_ptr<uint8_t[]> bytes;
};

TEST(DnsName, IsSplitIntoLabelsAndLowerCased) {
    const std::string wire("\3WeB\7Default\0rest", 17);
    const Exact exact(wire);
    DnsName name;
    size_t at = 0;
    ASSERT_TRUE(name.parse(exact.span(), at));
    EXPECT_EQ(at, 13u);
    EXPECT_EQ(name.wire(), std::string_view("\3web\7default\0", 13));
    EXPECT_EQ(name.labels(), 2u);
    EXPECT_EQ(name.label(0), "web");
    EXPECT_EQ(name.label(1), "default");
    EXPECT_EQ(name.slice(0, 1), "\3web");
    EXPECT_EQ(name.slice(1, 2), "\7default");
    EXPECT_EQ(name.offset(2), 12u);
}

TEST(DnsName, OnlyLettersOfAsciiAreLowerCased) {
    EXPECT_EQ(dns_lower('A'), 'a');
    EXPECT_EQ(dns_lower('Z'), 'z');
    EXPECT_EQ(dns_lower('@'), '@');
    EXPECT_EQ(dns_lower('['), '[');
    EXPECT_EQ(dns_lower(0xc4), 0xc4);
}

TEST(DnsName, TheRootHasNoLabels) {
    const Exact exact(std::string_view("\0", 1));
    DnsName name;
    size_t at = 0;
    ASSERT_TRUE(name.parse(exact.span(), at));
    EXPECT_EQ(name.labels(), 0u);
    EXPECT_EQ(name.size(), 1u);
    EXPECT_EQ(dns_name_text(name.wire()), ".");
}

TEST(DnsName, CutOffAtAnyByteItIsRefused) {
    const std::string wire("\3web\7default\3svc\0", 17);
    for (size_t bytes = 0; bytes < wire.size(); ++bytes) {
        const Exact exact(std::string_view(wire).substr(0, bytes));
        DnsName name;
        size_t at = 0;
        EXPECT_FALSE(name.parse(exact.span(), at)) << bytes;
        EXPECT_EQ(at, 0u);
        EXPECT_EQ(name.wire(), std::string_view("\0", 1)) << "the root, after a failure";
    }
}

TEST(DnsName, ACompressedOneIsRefused) {
    for (const char length : {'\xc0', '\x80', '\x40'}) {
        std::string wire("\3web", 4);
        wire += length;
        wire.append(100, 'x');
        const Exact exact(wire);
        DnsName name;
        size_t at = 0;
        EXPECT_FALSE(name.parse(exact.span(), at));
    }
}

TEST(DnsName, Of255BytesIsTheLongest) {
    const auto of = [](size_t last_label) {
        std::string wire;
        for (int i = 0; i < 3; ++i) wire += '\77' + std::string(63, 'a');
        wire += static_cast<char>(last_label) + std::string(last_label, 'b');
        return wire + '\0';
    };
    DnsName name;
    size_t at = 0;
    const Exact longest(of(61));
    ASSERT_TRUE(name.parse(longest.span(), at));
    EXPECT_EQ(name.size(), kMaxDnsName);
    at = 0;
    const Exact longer(of(62));
    EXPECT_FALSE(name.parse(longer.span(), at));
}

TEST(DnsName, Of127LabelsIsTheMost) {
    std::string wire;
    for (int i = 0; i < 127; ++i) wire += std::string("\1a");
    const Exact exact(wire + '\0');
    DnsName name;
    size_t at = 0;
    ASSERT_TRUE(name.parse(exact.span(), at));
    EXPECT_EQ(name.labels(), 127u);
    EXPECT_EQ(name.label(126), "a");
}

TEST(DnsName, ASuffixBeginsWithALabel) {
    DnsName name;
    name.assign(*dns_name_from_text("web.default.cluster.local"));
    EXPECT_EQ(name.labels_before(*dns_name_from_text("cluster.local")), 2u);
    EXPECT_EQ(name.labels_before(*dns_name_from_text("web.default.cluster.local")), 0u);
    EXPECT_EQ(name.labels_before(std::string_view("\0", 1)), 4u);
    EXPECT_FALSE(name.labels_before(*dns_name_from_text("other.local")));
    EXPECT_FALSE(name.labels_before(*dns_name_from_text("a.web.default.cluster.local")));
    // Equal bytes, but within a label: "\5local" inside "x\5local".
    name.assign(std::string_view("\7x\5local\0", 9));
    EXPECT_FALSE(name.labels_before(std::string_view("\5local\0", 7)));
}

TEST(DnsName, IsSkippedWithOrWithoutAPointer) {
    const auto skipped = [](std::string_view wire) {
        const Exact exact(wire);
        size_t at = 0;
        return skip_dns_name(exact.span(), at) ? at : 0;
    };
    EXPECT_EQ(skipped(std::string_view("\3web\0more", 9)), 5u);
    EXPECT_EQ(skipped(std::string_view("\3web\300\14more", 10)), 6u);
    EXPECT_EQ(skipped(std::string_view("\300\14", 2)), 2u);
    EXPECT_EQ(skipped("\300"), 0u) << "a pointer cut in two";
    EXPECT_EQ(skipped("\3we"), 0u);
    EXPECT_EQ(skipped("\200abc"), 0u) << "reserved bits";
    EXPECT_EQ(skipped(""), 0u);
}

TEST(DnsNameText, GoesToWireFormAndBack) {
    for (const char* text : {"web.default.svc.cluster.local", "a", "_http._tcp.web"}) {
        EXPECT_EQ(dns_name_text(dns_name_from_text(text).value()), text);
    }
    EXPECT_EQ(dns_name_from_text("Web.Local."), dns_name_from_text("web.local"));
    EXPECT_EQ(dns_name_text(std::string_view("\4a.\1 \1b\0", 8)), "a\\.\\001\\032.b");
}

TEST(DnsNameText, WithEmptyOrLongLabelsIsNoName) {
    EXPECT_FALSE(dns_name_from_text("a..b"));
    EXPECT_FALSE(dns_name_from_text(".a"));
    EXPECT_FALSE(dns_name_from_text("a.."));
    EXPECT_FALSE(dns_name_from_text(std::string(64, 'a')));
    EXPECT_TRUE(dns_name_from_text(std::string(63, 'a')));
    std::string longest;
    for (int i = 0; i < 127; ++i) longest += i == 0 ? "a" : ".a";
    EXPECT_TRUE(dns_name_from_text(longest));
    EXPECT_FALSE(dns_name_from_text(longest + ".a"));
    EXPECT_FALSE(dns_label_from_text(""));
}

}  // namespace
}  // namespace podlane
