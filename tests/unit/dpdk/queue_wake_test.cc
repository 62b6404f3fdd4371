#include "lib/dpdk/queue_wake.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace podlane {
namespace {

class QueueWakeTest : public ::testing::Test {
  protected:
    QueueWakeTest() : fd_(::eventfd(0, EFD_CLOEXEC)) {}
    ~QueueWakeTest() override { ::close(fd_); }

    void ring() {
        const uint64_t one = 1;
        ASSERT_EQ(::write(fd_, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
    }
    [[nodiscard]] bool is_readable() const {
        pollfd entry{.fd = fd_, .events = POLLIN, .revents = 0};
        return ::poll(&entry, 1, 0) == 1;
    }

    int fd_;
    QueueWake wake_;
};

/// UIO's read: four bytes or EINVAL (drivers/uio/uio.c).
ssize_t read_as_uio(int fd, void* out, size_t bytes) {
    if (bytes != 4) {
        errno = EINVAL;
        return -1;
    }
    uint64_t count = 0;
    const ssize_t got = ::read(fd, &count, sizeof(count));
    return got > 0 ? static_cast<ssize_t>(*static_cast<uint32_t*>(out) = 1, 4) : got;
}

/// The result of reading a UIO descriptor once its device is gone.
ssize_t read_of_a_gone_device(int, void*, size_t) {
    errno = EIO;
    return -1;
}

TEST_F(QueueWakeTest, FramesThatRangLeaveThePromiseKept) {
    wake_.set(WakeKind::kInterrupt, fd_, ::read);
    for (int round = 0; round < 3; ++round) {
        wake_.arm();
        ring();
        EXPECT_TRUE(wake_.disarm(true));
        EXPECT_TRUE(wake_.is_kept());
        EXPECT_FALSE(is_readable());  // or the next sleep would end at once
    }
}

TEST_F(QueueWakeTest, FramesFoundThoughArmedThatRangNothingBreakThePromiseOnce) {
    wake_.set(WakeKind::kInterrupt, fd_, ::read);
    wake_.arm();
    EXPECT_FALSE(wake_.disarm(true));
    EXPECT_FALSE(wake_.is_kept());
    wake_.arm();
    EXPECT_TRUE(wake_.disarm(true));
    EXPECT_FALSE(wake_.is_kept());
}

TEST_F(QueueWakeTest, AnIdleSleepAndFramesWithoutOneProveNothing) {
    wake_.set(WakeKind::kInterrupt, fd_, ::read);
    wake_.arm();
    EXPECT_TRUE(wake_.disarm(false));
    EXPECT_TRUE(wake_.disarm(true));  // not armed
    EXPECT_TRUE(wake_.is_kept());
}

TEST_F(QueueWakeTest, AUioDescriptorIsReadByFourBytesAndSleepsAgain) {
    wake_.set(WakeKind::kInterrupt, fd_, read_as_uio);
    for (int round = 0; round < 3; ++round) {
        wake_.arm();
        ring();
        EXPECT_TRUE(wake_.disarm(true));
        EXPECT_FALSE(is_readable());
    }
    EXPECT_TRUE(wake_.is_kept());
}

TEST_F(QueueWakeTest, ReadingWhatDidNotRingDoesNotWait) {
    // DPDK makes a UIO device's descriptor blocking.
    for (const auto read : {&::read, &read_as_uio}) {
        QueueWake wake;
        wake.set(WakeKind::kInterrupt, fd_, read);
        wake.arm();
        EXPECT_TRUE(wake.disarm(false));
        EXPECT_TRUE(wake.is_kept());
    }
}

TEST_F(QueueWakeTest, ADescriptorThatCannotBeReadIsGivenUp) {
    wake_.set(WakeKind::kInterrupt, fd_, read_of_a_gone_device);
    wake_.arm();
    ring();
    EXPECT_FALSE(wake_.disarm(false));
    EXPECT_FALSE(wake_.is_kept());
}

TEST_F(QueueWakeTest, ADataDescriptorIsEmptyOnceItsFramesAreTaken) {
    wake_.set(WakeKind::kData, fd_, read_of_a_gone_device);
    wake_.arm();
    EXPECT_TRUE(wake_.disarm(true));
    EXPECT_TRUE(wake_.is_kept());
}

}  // namespace
}  // namespace podlane
