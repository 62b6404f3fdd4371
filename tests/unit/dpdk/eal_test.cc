#include "lib/dpdk/eal.h"

#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "lib/dpdk/worker_thread.h"
#include "tests/unit/dpdk/eal_fixture.h"

namespace podlane {
namespace {

constexpr uint64_t kMegabyte = uint64_t{1} << 20;

std::string joined(const EalRequest& request, uint64_t free_bytes) {
    std::string out;
    for (const auto& argument : eal_arguments(request, free_bytes, 3, "p")) out += argument + " ";
    return out;
}

TEST(EalArguments, WithoutHugepagesMemoryIsOrdinary) {
    EXPECT_EQ(
        joined({.memory_bytes = 100 * kMegabyte, .pci_devices = {}, .extra_arguments = {}}, 0),
        "podlaned --no-telemetry --lcores=0@3 --file-prefix=p --log-level=*:warning "
        "--no-huge --no-shconf -m 101 --no-pci ");
}

TEST(EalArguments, SmallPagesMayNeedMoreOfIt) {
    const EalRequest request{.memory_bytes = 100 * kMegabyte,
                             .small_page_bytes = 200 * kMegabyte,
                             .pci_devices = {},
                             .extra_arguments = {}};
    EXPECT_NE(joined(request, 0).find("-m 201 "), std::string::npos);
    EXPECT_NE(joined(request, 100 * kMegabyte).find("--in-memory"), std::string::npos);
}

TEST(EalArguments, EnoughFreeHugepagesAreUsed) {
    const EalRequest request{
        .memory_bytes = 100 * kMegabyte, .pci_devices = {}, .extra_arguments = {}};
    const std::string arguments = joined(request, 100 * kMegabyte);
    EXPECT_NE(arguments.find("--in-memory"), std::string::npos);
    EXPECT_EQ(arguments.find("--no-huge"), std::string::npos);
    EXPECT_NE(joined(request, 99 * kMegabyte).find("--no-huge"), std::string::npos);
}

TEST(EalArguments, OnlyTheNamedPciDevicesAreProbed) {
    const std::string arguments =
        joined({.pci_devices = {"0000:3b:00.0", "0000:3b:00.1"}, .extra_arguments = {}}, 0);
    EXPECT_NE(arguments.find("-a 0000:3b:00.0 -a 0000:3b:00.1"), std::string::npos);
    EXPECT_EQ(arguments.find("--no-pci"), std::string::npos);
}

TEST(EalArguments, OursGiveWayToTheOperators) {
    const std::string arguments =
        joined({.pci_devices = {},
                .extra_arguments = {"--lcores=0@1", "--in-memory", "--log-level=debug", "-a", "x"}},
               0);
    EXPECT_EQ(arguments,
              "podlaned --no-telemetry --file-prefix=p --lcores=0@1 --in-memory "
              "--log-level=debug -a x ");
}

TEST(EalArguments, HugepagesThatMustBeAndAreNotAreAnError) {
    const auto eal = start_eal({.hugepages = HugepageUse::kOn,
                                .memory_bytes = uint64_t{1} << 50,
                                .pci_devices = {},
                                .extra_arguments = {}});
    ASSERT_FALSE(eal.ok());
    EXPECT_NE(eal.error().message.find("memory.hugepages"), std::string::npos);
}

/// A folder like /sys/kernel/mm/hugepages, with pages of 2 MB.
struct FakePages {
    FakePages(uint64_t all, uint64_t free, uint64_t reserved) {
        const auto dir = std::filesystem::path(root) / "hugepages-2048kB";
        std::filesystem::create_directories(dir);
        std::ofstream(dir / "nr_hugepages") << all;
        std::ofstream(dir / "free_hugepages") << free;
        std::ofstream(dir / "resv_hugepages") << reserved;
    }
    ~FakePages() { std::filesystem::remove_all(root); }
    std::string root = "/tmp/podlane-unit-pages-" + std::to_string(::getpid());
};

EalRequest needs(HugepageUse use, uint64_t megabytes) {
    EalRequest request;
    request.hugepages = use;
    request.memory_bytes = megabytes * kMegabyte;
    request.small_page_bytes = (megabytes + 40) * kMegabyte;
    return request;
}

TEST(Hugepages, WhatOthersHaveReservedIsNotFree) {
    const FakePages pages(1024, 300, 100);
    const Hugepages now = read_hugepages(pages.root);
    EXPECT_EQ(now.free_bytes, 400 * kMegabyte);
    EXPECT_EQ(now.pages, 1024u);
    EXPECT_EQ(read_hugepages("/does/not/exist").free_bytes, 0u);
}

TEST(Hugepages, AutoTakesThemWhereEnoughAreFree) {
    EXPECT_TRUE(uses_hugepages(needs(HugepageUse::kAuto, 400), {400 * kMegabyte, 1024}));
    EXPECT_FALSE(uses_hugepages(needs(HugepageUse::kAuto, 401), {400 * kMegabyte, 1024}));
    EXPECT_EQ(memory_summary(needs(HugepageUse::kAuto, 400), {2048 * kMegabyte, 1024}),
              "400 MB of hugepages, 2048 MB are free");
}

TEST(Hugepages, WhereTooFewAreFreeTheCommandThatIsSaidMakesEnough) {
    // Others use 824 of 1024 pages: 200 are free, and 400 MB more are needed.
    EXPECT_EQ(memory_summary(needs(HugepageUse::kAuto, 800), {400 * kMegabyte, 1024}),
              "840 MB in 4 kB pages; faster with 800 MB of hugepages, 400 MB are free; `sysctl "
              "vm.nr_hugepages=1224` makes enough");
    EXPECT_EQ(memory_summary(needs(HugepageUse::kOn, 801), {400 * kMegabyte, 1024}),
              "801 MB of hugepages are needed, 400 MB are free; `sysctl vm.nr_hugepages=1225` "
              "makes enough, `auto` does without");
    EXPECT_EQ(memory_summary(needs(HugepageUse::kOff, 800), {}), "840 MB in 4 kB pages");
}

TEST(Hugepages, TheExampleForAServerFitsIntoThe1024PagesOfTheReadme) {
    // configs/bare-metal.yaml: 196,608 buffers of 9,344 bytes, and 96 MB for rings.
    const PacketPoolRequest pool{.name = "p", .mbufs = 196608, .mbuf_bytes = 9344};
    EXPECT_LE(packet_pool_bytes(pool, 2 * kMegabyte) + 96 * kMegabyte, 1024 * 2 * kMegabyte);
}

using EalRunning = EalTest;

TEST_F(EalRunning, TheCallersAffinityIsAsItWas) {
    cpu_set_t now;
    CPU_ZERO(&now);
    ASSERT_EQ(sched_getaffinity(0, sizeof(now), &now), 0);
    // A thread started now inherits all CPUs, not the one of the EAL's lcore.
    EXPECT_TRUE(CPU_EQUAL(&now, &cpus_before()));
}

TEST_F(EalRunning, ItSaysWhatWouldBeFaster) {
    EXPECT_FALSE(eal().uses_hugepages());
    ASSERT_FALSE(eal().notes().empty());
    EXPECT_NE(eal().notes()[0].find("vm.nr_hugepages="), std::string::npos);
}

TEST_F(EalRunning, ASecondStartIsAnErrorAndHarmless) {
    const auto again =
        start_eal({.hugepages = HugepageUse::kOff, .pci_devices = {}, .extra_arguments = {}});
    ASSERT_FALSE(again.ok());
    EXPECT_NE(again.error().message.find("DPDK does not start"), std::string::npos);
}

TEST_F(EalRunning, DpdksLinesComeWithTheirLevelAndAsManyAsAreWanted) {
    (void)take_log();
    const auto log_all = [] {
        rte_log(RTE_LOG_ERR, RTE_LOGTYPE_EAL, "EAL: broken\n");
        rte_log(RTE_LOG_WARNING, RTE_LOGTYPE_EAL, "EAL: odd\nEAL: indeed\n");
        rte_log(RTE_LOG_INFO, RTE_LOGTYPE_EAL, "EAL: so it is\n");
        rte_log(RTE_LOG_DEBUG, RTE_LOGTYPE_EAL, "EAL: inside\n");
        LogLines taken = take_log();
        // DPDK logs the change itself, at debug level.
        std::erase_if(taken, [](const auto& line) {
            return line.second.find("log level changed") != std::string::npos;
        });
        return taken;
    };
    const LogLines errors{{LogLevel::kError, "EAL: broken"}};
    EXPECT_EQ(log_all(), errors) << "as it was started";
    LogLines warnings = errors;
    warnings.emplace_back(LogLevel::kWarning, "EAL: odd");
    warnings.emplace_back(LogLevel::kWarning, "EAL: indeed");
    set_eal_log_level(LogLevel::kInfo);
    EXPECT_EQ(log_all(), warnings);
    LogLines all = warnings;
    all.emplace_back(LogLevel::kInfo, "EAL: so it is");
    all.emplace_back(LogLevel::kDebug, "EAL: inside");
    set_eal_log_level(LogLevel::kDebug);
    EXPECT_EQ(log_all(), all);
    set_eal_log_level(LogLevel::kError);
    EXPECT_EQ(log_all(), errors);
}

using Pool = EalTest;

TEST_F(Pool, HasWhatWasAskedFor) {
    const auto pool =
        create_packet_pool({.name = "p", .mbufs = 2048, .mbuf_bytes = 2176, .private_bytes = 5});
    ASSERT_TRUE(pool.ok()) << pool.error().message;
    EXPECT_EQ(pool->mbufs(), 2048U);
    EXPECT_EQ(pool->available(), 2048U);
    EXPECT_EQ(rte_pktmbuf_data_room_size(pool->get()), 2176);
    EXPECT_EQ(rte_pktmbuf_priv_size(pool->get()), 8);
    EXPECT_GE(pool->get()->cache_size, 64U);  // two bursts
}

TEST_F(Pool, TwoOfOneNameExistBesideEachOther) {
    const auto first = create_packet_pool({.name = "p", .mbufs = 256});
    const auto second = create_packet_pool({.name = "p", .mbufs = 256});
    EXPECT_TRUE(first.ok());
    EXPECT_TRUE(second.ok());
}

TEST_F(Pool, MoreThanTheMemoryHoldsIsAnErrorThatNamesTheKey) {
    const auto pool = create_packet_pool({.name = "p", .mbufs = 1U << 20});
    ASSERT_FALSE(pool.ok());
    EXPECT_NE(pool.error().message.find("memory.mbufs"), std::string::npos);
    EXPECT_FALSE(create_packet_pool({.name = "p", .mbufs = 64, .mbuf_bytes = 128}).ok());
    EXPECT_FALSE(create_packet_pool({.name = "p", .mbufs = 64, .mbuf_bytes = 70000}).ok());
}

TEST_F(Pool, ItsSizeIsForeseen) {
    const PacketPoolRequest request{.name = "p", .mbufs = 8192};
    EXPECT_GT(packet_pool_bytes(request, 2 * kMegabyte), uint64_t{8192} * 2176);
    EXPECT_LT(packet_pool_bytes(request, 2 * kMegabyte), uint64_t{8192} * 2176 * 3 / 2);
}

TEST_F(Pool, WithSmallPagesItTakesNoMoreThanForeseen) {
    const auto taken = [] {
        rte_malloc_socket_stats stats{};
        rte_malloc_get_socket_stats(0, &stats);
        return stats.heap_allocsz_bytes;
    };
    for (const uint32_t mbuf_bytes : {600U, 2176U, 9344U}) {
        const PacketPoolRequest request{.name = "p", .mbufs = 1000, .mbuf_bytes = mbuf_bytes};
        const uint64_t before = taken();
        const auto pool = create_packet_pool(request);
        ASSERT_TRUE(pool.ok()) << pool.error().message;
        EXPECT_LE(taken() - before, packet_pool_bytes(request, 4096)) << mbuf_bytes;
        // Not by much: memory that is reserved but not used is missing elsewhere.
        EXPECT_GE((taken() - before) * 3 / 2 + 2 * kMegabyte, packet_pool_bytes(request, 4096));
    }
}

using Worker = EalTest;

TEST_F(Worker, RunsNamedPinnedAndRegistered) {
    unsigned lcore = LCORE_ID_ANY;
    int cpu = -1;
    int tid = 0;
    char name[16] = {};
    auto worker = start_worker_thread({.name = "worker/0", .cpu = 0}, [&] {
        lcore = rte_lcore_id();
        cpu = sched_getcpu();
        tid = gettid();
        pthread_getname_np(pthread_self(), name, sizeof(name));
    });
    ASSERT_TRUE(worker.ok()) << worker.error().message;
    worker->join();
    EXPECT_LT(lcore, RTE_MAX_LCORE);
    EXPECT_EQ(lcore, worker->lcore());
    EXPECT_EQ(cpu, 0);
    EXPECT_EQ(tid, worker->tid());
    EXPECT_STREQ(name, "worker/0");
}

TEST_F(Worker, TwoOnOneCpuHaveLcoresOfTheirOwn) {
    const auto first = start_worker_thread({.name = "a", .cpu = 0}, [] {});
    const auto second = start_worker_thread({.name = "b", .cpu = 0}, [] {});
    ASSERT_TRUE(first.ok() && second.ok());
    EXPECT_NE(first->tid(), second->tid());
}

TEST_F(Worker, ACpuThatIsNotThereIsAnError) {
    bool ran = false;
    const auto worker = start_worker_thread({.name = "w", .cpu = 1000}, [&] { ran = true; });
    ASSERT_FALSE(worker.ok());
    EXPECT_NE(worker.error().message.find("CPU 1000"), std::string::npos);
    EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace podlane
