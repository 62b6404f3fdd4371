#include "control/shortcut/program.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "control/netdev/pod_pair.h"
#include "control/netdev/rtnl.h"
#include "control/netdev/tap_parts.h"
#include "control/shortcut/layout.h"
#include "control/shortcut/object_file.h"

namespace podlane::control {

namespace {

constexpr std::array kMaps{"pl_flows", "pl_states", "pl_epochs", "pl_devices", "pl_ids"};
constexpr size_t kEpochs = 2;

Error failure(const char* what, int code) {
    return Error{fmt::format("shortcut: {}: {}", what, std::strerror(std::abs(code)))};
}

/// A map of a former process.
struct LeftMap {
    std::string name;
    UniqueFd fd;
};

bpf_tc_hook hook_of(int ifindex, bpf_tc_attach_point where) {
    bpf_tc_hook hook{};
    hook.sz = sizeof(hook);
    hook.ifindex = ifindex;
    hook.attach_point = where;
    return hook;
}

/// For the one program at a device's ingress or egress. `program`: 0 asks which one it is.
bpf_tc_opts options_of(int program) {
    bpf_tc_opts options{};
    options.sz = sizeof(options);
    options.prog_fd = program;
    options.flags = program != 0 ? BPF_TC_F_REPLACE : 0;
    options.handle = 1;
    options.priority = 1;
    return options;
}

/// The maps of the program on a device; empty: there is none.
std::vector<LeftMap> maps_on(int ifindex, bpf_tc_attach_point where) {
    const bpf_tc_hook hook = hook_of(ifindex, where);
    bpf_tc_opts options = options_of(0);
    if (::bpf_tc_query(&hook, &options) != 0) return {};
    const UniqueFd program(::bpf_prog_get_fd_by_id(options.prog_id));
    if (!program.valid()) return {};
    std::array<uint32_t, 16> ids{};
    bpf_prog_info info{};
    info.nr_map_ids = ids.size();
    info.map_ids = reinterpret_cast<uintptr_t>(ids.data());
    uint32_t bytes = sizeof(info);
    if (::bpf_obj_get_info_by_fd(program.get(), &info, &bytes) != 0) return {};
    std::vector<LeftMap> out;
    for (const uint32_t id : std::span(ids).first(std::min<size_t>(info.nr_map_ids, ids.size()))) {
        UniqueFd map(::bpf_map_get_fd_by_id(id));
        bpf_map_info about{};
        bytes = sizeof(about);
        if (!map.valid() || ::bpf_obj_get_info_by_fd(map.get(), &about, &bytes) != 0) continue;
        out.push_back({about.name, std::move(map)});
    }
    return out;
}

/// What the owner's devices have; only the veths' programs use all maps.
std::vector<LeftMap> left_maps(const std::string& owner) {
    std::vector<LeftMap> out;
    auto rtnl = Rtnl::open();
    struct if_nameindex* const all = ::if_nameindex();
    if (all == nullptr) return out;
    for (const auto* each = all; rtnl.ok() && out.empty() && each->if_index != 0; ++each) {
        if (!std::string_view(each->if_name).starts_with(kVethPrefix)) continue;
        const auto link = rtnl->find_link(each->if_name);
        if (!link.ok() || !link->has_value() || (*link)->alias != mark_of(owner)) continue;
        out = maps_on((*link)->ifindex, BPF_TC_INGRESS);
    }
    ::if_freenameindex(all);
    return out;
}

const LeftMap* find(const std::vector<LeftMap>& maps, const char* name) {
    const auto at = std::ranges::find(maps, name, &LeftMap::name);
    return at != maps.end() ? &*at : nullptr;
}

bool has_our_form(const std::vector<LeftMap>& maps) {
    const LeftMap* const epochs = find(maps, kMaps[kEpochs]);
    if (epochs == nullptr || maps.size() != kMaps.size()) return false;
    std::array<uint32_t, 256> value{};  // longer than any form's
    const uint32_t key = 0;
    bpf_map_info info{};
    uint32_t bytes = sizeof(info);
    return ::bpf_obj_get_info_by_fd(epochs->fd.get(), &info, &bytes) == 0 &&
           info.value_size <= sizeof(value) &&
           ::bpf_map_lookup_elem(epochs->fd.get(), &key, value.data()) == 0 &&
           value[1] == PODLANE_SHORTCUT_FORM;
}

Result<void> pause(const std::vector<LeftMap>& maps) {
    const LeftMap* const epochs = find(maps, kMaps[kEpochs]);
    if (epochs == nullptr) return {};
    std::array<uint32_t, 256> value{};
    const uint32_t key = 0;
    int failed = ::bpf_map_lookup_elem(epochs->fd.get(), &key, value.data());
    value[0] = 1;
    if (failed == 0) failed = ::bpf_map_update_elem(epochs->fd.get(), &key, value.data(), BPF_ANY);
    return failed == 0 ? Result<void>{} : failure("stop what a former podlaned has left", failed);
}

Result<void> attach(int device, bpf_tc_attach_point where, int program) {
    bpf_tc_hook hook = hook_of(device, where);
    if (const int failed = ::bpf_tc_hook_create(&hook); failed != 0 && failed != -EEXIST) {
        return failure("make a clsact qdisc", failed);
    }
    bpf_tc_opts options = options_of(program);
    if (const int failed = ::bpf_tc_attach(&hook, &options); failed != 0) {
        return failure("attach the program", failed);
    }
    return {};
}

int quiet(libbpf_print_level, const char*, va_list) {
    return 0;
}

}  // namespace

struct ShortcutProgram::Object {
    bpf_object* object = nullptr;
    int from_pod = -1, to_pod = -1, from_nic = -1, to_nic = -1, from_host = -1;

    ~Object() { ::bpf_object__close(object); }
    [[nodiscard]] int map(const char* name) const {
        return ::bpf_object__find_map_fd_by_name(object, name);
    }
    [[nodiscard]] int program(const char* name) const {
        return ::bpf_program__fd(::bpf_object__find_program_by_name(object, name));
    }
};

ShortcutProgram::ShortcutProgram(std::unique_ptr<Object> object) noexcept
    : object_(std::move(object)) {}
ShortcutProgram::~ShortcutProgram() = default;

Result<std::unique_ptr<ShortcutProgram>> ShortcutProgram::load(const std::string& owner) {
    ::libbpf_set_print(quiet);
    auto made = std::make_unique<Object>();
    const auto code = shortcut_object();
    made->object = ::bpf_object__open_mem(code.data(), code.size(), nullptr);
    if (made->object == nullptr) return failure("read the program", errno);
    const auto left = left_maps(owner);
    if (has_our_form(left)) {
        for (const char* name : kMaps) {
            bpf_map* const map = ::bpf_object__find_map_by_name(made->object, name);
            const LeftMap* const former = find(left, name);
            if (former == nullptr || ::bpf_map__reuse_fd(map, former->fd.get()) != 0) {
                return failure("take over a map", errno);
            }
        }
    } else if (auto done = pause(left); !done.ok()) {
        return done.error();
    }
    if (const int failed = ::bpf_object__load(made->object); failed != 0) {
        return failure("the kernel refuses the program", failed);
    }
    made->from_pod = made->program("from_pod");
    made->to_pod = made->program("to_pod");
    made->from_nic = made->program("from_nic");
    made->to_nic = made->program("to_nic");
    made->from_host = made->program("from_host");
    return std::unique_ptr<ShortcutProgram>(new ShortcutProgram(std::move(made)));
}

Result<void> ShortcutProgram::put(int device, int other, const MacAddress& mac, int program) const {
    shortcut_device about{.other = static_cast<uint32_t>(other), .mac = {}, .zero = {}};
    std::ranges::copy(mac.bytes, about.mac);
    const auto key = static_cast<uint32_t>(device);
    const int devices = object_->map("pl_devices");
    if (const int failed = ::bpf_map_update_elem(devices, &key, &about, BPF_ANY); failed != 0) {
        return failure("note a device", failed);
    }
    return attach(device, BPF_TC_INGRESS, program);
}

Result<void> ShortcutProgram::connect(int veth, int tap, const MacAddress& pod) const {
    auto done = put(veth, tap, pod, object_->from_pod);
    return done.ok() ? put(tap, veth, pod, object_->to_pod) : std::move(done);
}

Result<void> ShortcutProgram::connect_nic(int nic, int tap, const MacAddress& mac) const {
    // The TAP first: from then on the NIC's frames come to it.
    auto done = put(tap, nic, mac, object_->to_nic);
    return done.ok() ? put(nic, tap, mac, object_->from_nic) : std::move(done);
}

Result<void> ShortcutProgram::connect_host(int host) const {
    return attach(host, BPF_TC_EGRESS, object_->from_host);
}

Result<ShortcutMaps> ShortcutProgram::maps() const {
    const auto copy = [this](const char* name) {
        return UniqueFd(::fcntl(object_->map(name), F_DUPFD_CLOEXEC, 0));
    };
    ShortcutMaps out{copy("pl_flows"), copy("pl_states"), copy("pl_epochs")};
    if (out.flows.valid() && out.states.valid() && out.epochs.valid()) return out;
    return failure("open the maps", errno);
}

std::array<int, 5> ShortcutProgram::programs() const noexcept {
    return {object_->from_pod, object_->to_pod, object_->from_nic, object_->to_nic,
            object_->from_host};
}

Result<void> pause_left_shortcut(const std::string& owner) {
    return pause(left_maps(owner));
}

bool has_shortcut(int host) {
    return find(maps_on(host, BPF_TC_EGRESS), kMaps[kEpochs]) != nullptr;
}

}  // namespace podlane::control
