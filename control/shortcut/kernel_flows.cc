#include "control/shortcut/kernel_flows.h"

#include <fmt/format.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace podlane::control {

namespace {

/// An array of T that a map and this process have in common.
template <class T>
class Mapped {
  public:
    Mapped(const UniqueFd& map, size_t count) : bytes_(count * sizeof(T)) {
        void* const at = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, map.get(), 0);
        if (at != MAP_FAILED) at_ = static_cast<T*>(at);
    }
    ~Mapped() {
        if (at_ != nullptr) ::munmap(at_, bytes_);
    }
    Mapped(const Mapped&) = delete;
    Mapped& operator=(const Mapped&) = delete;

    [[nodiscard]] T* get() const noexcept { return at_; }

  private:
    size_t bytes_;
    T* at_ = nullptr;
};

class KernelMaps final : public KernelFlows {
  public:
    explicit KernelMaps(ShortcutMaps maps)
        : flows_(std::move(maps.flows)),
          states_(maps.states, PODLANE_SHORTCUT_SLOTS),
          epochs_(maps.epochs, 1) {}
    [[nodiscard]] bool ok() const noexcept {
        return states_.get() != nullptr && epochs_.get() != nullptr;
    }

    bool put(const shortcut_key& key, const shortcut_rewrite& rewrite) override {
        return call(BPF_MAP_UPDATE_ELEM, key, &rewrite);
    }
    void erase(const shortcut_key& key, uint32_t slot) override {
        shortcut_rewrite there{};
        if (call(BPF_MAP_LOOKUP_ELEM, key, &there) && there.slot == slot) {
            static_cast<void>(call(BPF_MAP_DELETE_ELEM, key, nullptr));
        }
    }
    void clear() override {
        shortcut_key first{};
        // Bounded, should the kernel not do what it says.
        for (uint32_t i = 0; i < 2 * PODLANE_SHORTCUT_SLOTS; ++i) {
            bpf_attr attributes{};
            attributes.map_fd = static_cast<uint32_t>(flows_.get());
            attributes.next_key = reinterpret_cast<uintptr_t>(&first);
            if (bpf(BPF_MAP_GET_NEXT_KEY, attributes) != 0) return;
            static_cast<void>(call(BPF_MAP_DELETE_ELEM, first, nullptr));
        }
    }
    shortcut_state& state(uint32_t slot) override { return states_.get()[slot]; }
    shortcut_epochs& epochs() override { return *epochs_.get(); }
    uint32_t slots() const override { return PODLANE_SHORTCUT_SLOTS; }

  private:
    static long bpf(bpf_cmd command, bpf_attr& attributes) {
        return ::syscall(SYS_bpf, command, &attributes, sizeof(attributes));
    }
    [[nodiscard]] bool call(bpf_cmd command, const shortcut_key& key, const void* value) const {
        bpf_attr attributes{};
        attributes.map_fd = static_cast<uint32_t>(flows_.get());
        attributes.key = reinterpret_cast<uintptr_t>(&key);
        attributes.value = reinterpret_cast<uintptr_t>(value);
        return bpf(command, attributes) == 0;
    }

    UniqueFd flows_;
    Mapped<shortcut_state> states_;
    Mapped<shortcut_epochs> epochs_;
};

}  // namespace

Result<std::unique_ptr<KernelFlows>> open_kernel_flows(ShortcutMaps maps) {
    auto opened = std::make_unique<KernelMaps>(std::move(maps));
    if (opened->ok()) return std::unique_ptr<KernelFlows>(std::move(opened));
    return Error{fmt::format("shortcut: map the kernel's maps: {}", std::strerror(errno))};
}

}  // namespace podlane::control
