#include "lib/dns/zone.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "lib/dns/table.h"
#include "lib/dns/wire.h"
#include "tests/support/dns_messages.h"

namespace podlane {
namespace {

TEST(DnsTable, DoesWhatAMapDoes) {
    std::mt19937 random(1);
    DnsTable<int> table;
    std::map<std::string, int> model;
    for (int round = 0; round < 20'000; ++round) {
        const std::string key = "k" + std::to_string(random() % 2000);
        if (random() % 3 == 0) {
            table.set(key, nullptr);
            model.erase(key);
        } else {
            const int value = static_cast<int>(random());
            table.set(key, std::make_shared<const int>(value));
            model[key] = value;
        }
    }
    EXPECT_EQ(table.size(), model.size());
    for (int i = 0; i < 2000; ++i) {
        const std::string key = "k" + std::to_string(i);
        const int* found = table.find(key);
        const auto wanted = model.find(key);
        ASSERT_EQ(found != nullptr, wanted != model.end()) << key;
        if (found != nullptr) {
            EXPECT_EQ(*found, wanted->second);
        }
    }
}

TEST(DnsTable, ACopyKeepsWhatItHad) {
    DnsTable<int> table;
    table.set("a", std::make_shared<const int>(1));
    const DnsTable<int> before = table;
    table.set("a", std::make_shared<const int>(2));
    table.set("b", std::make_shared<const int>(3));
    EXPECT_EQ(*before.find("a"), 1);
    EXPECT_EQ(before.find("b"), nullptr);
    EXPECT_EQ(*table.find("a"), 2);
}

TEST(DnsZone, ANamespaceIsThereAsLongAsItsServices) {
    DnsZone zone({});
    const auto service = std::make_shared<const DnsService>();
    zone.set_service("\1a", "\1n", service);
    zone.set_service("\1a", "\1n", service);
    zone.set_service("\1b", "\1n", service);
    EXPECT_TRUE(zone.has_namespace("\1n"));
    zone.set_service("\1a", "\1n", nullptr);
    EXPECT_TRUE(zone.has_namespace("\1n"));
    zone.set_service("\1b", "\1n", nullptr);
    zone.set_service("\1b", "\1n", nullptr);
    EXPECT_FALSE(zone.has_namespace("\1n"));
    EXPECT_EQ(zone.service_count(), 0u);
}

TEST(DnsZone, AnAddressCanHaveSeveralNames) {
    DnsZone zone({});
    const IpAddress address = *parse_ip("10.0.0.1");
    const std::string key("\x0a\0\0\1", 4);
    zone.add_pointer(address, "b");
    zone.add_pointer(address, "a");
    zone.add_pointer(address, "b");
    ASSERT_NE(zone.find_pointers(key), nullptr);
    EXPECT_EQ(zone.find_pointers(key)->names, (std::vector<std::string>{"a", "b"}));
    zone.remove_pointer(address, "a");
    zone.remove_pointer(address, "b");
    zone.remove_pointer(address, "b");
    EXPECT_EQ(zone.find_pointers(key), nullptr);
}

TEST(DnsZone, KnowsItsServers) {
    const auto zone = test::dns_world();
    EXPECT_TRUE(zone->is_server<V4>(parse_ip("10.96.0.10")->as<V4>()));
    EXPECT_TRUE(zone->is_server<V6>(parse_ip("fd96::a")->as<V6>()));
    EXPECT_FALSE(zone->is_server<V4>(parse_ip("10.96.0.11")->as<V4>()));
}

TEST(DnsService, FindsItsHosts) {
    DnsService service;
    service.hosts = {{"a", {}}, {"b", {}}};
    ASSERT_NE(service.find_host("b"), nullptr);
    EXPECT_EQ(service.find_host("b")->label, "b");
    EXPECT_EQ(service.find_host("c"), nullptr);
    EXPECT_EQ(service.find_host(""), nullptr);
}

}  // namespace
}  // namespace podlane
