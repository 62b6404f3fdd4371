#include "dataplane/ports/tap_ring.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <liburing.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

namespace podlane::dataplane {
namespace {

/// Runs with io_uring (or again with separate calls, if there is none) and with separate calls.
class TapRingTest : public testing::TestWithParam<bool> {
  protected:
    TapRingTest() : ring(GetParam()) {
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    }
    ~TapRingTest() override {
        close(ends[0]);
        close(ends[1]);
    }
    static iovec part(std::string& text) { return {text.data(), text.size()}; }

    TapRing ring;
    int ends[2];
};
INSTANTIATE_TEST_SUITE_P(Ways, TapRingTest, testing::Values(true, false));

TEST_P(TapRingTest, WritesAndReadsEndInTheirOrder) {
    std::vector<std::string> texts;
    for (unsigned i = 0; i < TapRing::kMost; ++i) texts.push_back("frame " + std::to_string(i));
    std::vector<iovec> parts;
    for (std::string& text : texts) parts.push_back(part(text));
    for (const iovec& each : parts) ring.write(ends[0], {&each, 1});
    const auto written = ring.run();
    ASSERT_EQ(written.size(), texts.size());
    for (size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(written[i], int32_t(texts[i].size()));

    std::vector<std::string> back(TapRing::kMost, std::string(20, '.'));
    std::vector<iovec> into;
    for (std::string& text : back) into.push_back(part(text));
    for (const iovec& each : into) ring.read(ends[1], {&each, 1});
    const auto read = ring.run();
    for (size_t i = 0; i < texts.size(); ++i) {
        ASSERT_EQ(read[i], int32_t(texts[i].size()));
        EXPECT_EQ(back[i].substr(0, texts[i].size()), texts[i]);
    }
}

TEST_P(TapRingTest, AFrameIsGatheredFromAndSpreadOverItsParts) {
    std::string header = "header", body = "and body";
    const iovec out[] = {part(header), part(body)};
    ring.write(ends[0], out);
    EXPECT_EQ(ring.run()[0], 14);
    std::string first(4, '.'), rest(20, '.');
    const iovec in[] = {part(first), part(rest)};
    ring.read(ends[1], in);
    EXPECT_EQ(ring.run()[0], 14);
    EXPECT_EQ(first + rest.substr(0, 10), "headerand body");
}

TEST_P(TapRingTest, AnEmptyQueueEndsAtOnce) {
    std::string text = "one";
    const iovec out = part(text);
    ring.write(ends[0], {&out, 1});
    EXPECT_EQ(ring.run().size(), 1u);
    std::string a(8, '.'), b(8, '.'), c(8, '.');
    const iovec in[] = {part(a), part(b), part(c)};
    for (const iovec& each : in) ring.read(ends[1], {&each, 1});
    const auto results = ring.run();
    EXPECT_EQ(std::vector(results.begin(), results.end()),
              (std::vector<int32_t>{3, -EAGAIN, -EAGAIN}));
}

TEST_P(TapRingTest, AFailureConcernsItsOwnOperationAlone) {
    std::string text = "text";
    const iovec out = part(text);
    ring.write(ends[0], {&out, 1});
    ring.write(-1, {&out, 1});
    ring.write(ends[0], {&out, 1});
    const auto results = ring.run();
    EXPECT_EQ(std::vector(results.begin(), results.end()), (std::vector<int32_t>{4, -EBADF, 4}));
}

TEST(TapRing, NothingButReadingAndWritingGoesByARing) {
    io_uring ring{};
    if (io_uring_queue_init(8, &ring, IORING_SETUP_R_DISABLED) != 0) {
        GTEST_SKIP() << "no io_uring here";
    }
    ASSERT_TRUE(enable_for_reads_and_writes(ring));
    const auto result_of = [&](auto prepare) {
        io_uring_sqe* const entry = io_uring_get_sqe(&ring);
        prepare(entry);
        io_uring_submit_and_wait(&ring, 1);
        io_uring_cqe* completion = nullptr;
        if (io_uring_peek_cqe(&ring, &completion) != 0) return 1;
        const int result = completion->res;
        io_uring_cqe_seen(&ring, completion);
        return result;
    };
    char byte = 'x';
    const iovec part{&byte, 1};
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    EXPECT_EQ(result_of([&](auto* e) { io_uring_prep_writev(e, ends[1], &part, 1, 0); }), 1);
    EXPECT_EQ(result_of([&](auto* e) { io_uring_prep_nop(e); }), -EACCES);
    EXPECT_EQ(result_of([&](auto* e) { io_uring_prep_openat(e, AT_FDCWD, "/dev/null", 0, 0); }),
              -EACCES);
    EXPECT_EQ(result_of([&](auto* e) { io_uring_prep_socket(e, AF_INET, SOCK_DGRAM, 0, 0); }),
              -EACCES);
    EXPECT_EQ(syscall(SYS_io_uring_register, ring.ring_fd, IORING_REGISTER_EVENTFD, ends, 1), -1)
        << "nor is it widened again";
    EXPECT_EQ(errno, EACCES);
    io_uring_queue_exit(&ring);
    close(ends[0]);
    close(ends[1]);
}

}  // namespace
}  // namespace podlane::dataplane
