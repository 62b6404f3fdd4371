// The node's own state, kept across restarts: objects with their owners, and pods with their
// interfaces.
//
// The node model reports each change to it before that is answered, and reads from it once, at
// start. It writes a KeyLog in the state folder; docs/decisions/restart.md says which failures that
// survives. If writing fails, problems() says so; a change is never refused because of it. Control
// thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <future>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/store.h"
#include "control/netdev/netns.h"
#include "control/netdev/pod_socket.h"
#include "lib/base/ip_address.h"
#include "lib/base/mac.h"
#include "lib/base/result.h"
#include "lib/border/bandwidth.h"
#include "lib/persist/key_log.h"

namespace podlane::control {

struct KeptObject {
    Object object;
    std::string owner;
};

/// A pod's port, with everything that is needed to restore it.
struct KeptPod {
    std::string name;       ///< the port's
    std::string pod;        ///< "namespace/name"
    std::string container;  ///< empty if the runtime named none
    std::string ifname;
    std::string netns;  ///< path
    NetnsId netns_id;   ///< the namespace that was there
    MacAddress mac{};
    std::vector<IpAddress> addresses;
    uint16_t mtu = 0;
    std::vector<ContainerPort> host_ports = {};  ///< requested by its runtime
    Bandwidth bandwidth = {};                    ///< likewise
    PodSocket socket = {};
};

/// What was learned about the links, by port name.
struct KeptLinks {
    struct Neighbour {
        std::string port;
        IpAddress address;
        MacAddress mac{};
    };
    struct Learned {
        std::string port;
        MacAddress mac{};
    };
    std::vector<Neighbour> neighbours;
    std::vector<Learned> macs;
};

/// What an earlier process has left.
struct KeptState {
    std::vector<KeptObject> objects;
    std::vector<KeptPod> pods;  ///< none of before the machine's last start
    KeptLinks links;            ///< likewise
    uint64_t generation = 0;    ///< no earlier generation has a higher number
};

class Keeper {
  public:
    /// Opens the journal in `folder`, which is created if it does not exist. If that fails,
    /// problems() says so, and it is tried again.
    explicit Keeper(const std::string& folder);

    /// Describes what this podlaned would find in `folder`; an Error says why it would be refused.
    /// Changes nothing.
    [[nodiscard]] static Result<std::string> look(const std::string& folder);

    /// The pods alone, as load() will have them; changes nothing.
    [[nodiscard]] std::vector<KeptPod> pods() const;

    /// Begins to read the objects, on a thread of its own: while DPDK starts, a CPU is free. Until
    /// load(), which waits for it, only pods() may be called.
    void read_ahead();
    /// Reads all of it. What cannot be read is dropped, with a line in notes.
    [[nodiscard]] KeptState load(std::vector<std::string>& notes);

    using OwnerOf = std::function<std::string_view(const ObjectKey&)>;
    /// After a change that came by the socket.
    void put_objects(const ChangeSet& change, const OwnerOf& owner_of);
    /// They could not be used: their feeders must send them again.
    void drop_objects();
    void put_pod(const KeptPod& pod);
    void erase_pod(const std::string& name);
    /// Call after each generation. One in kAhead is written.
    void put_generation(uint64_t generation);
    /// At most kMostLinks; written only when they changed.
    void put_links(const KeptLinks& links);

    static constexpr uint64_t kAhead = 1024;
    static constexpr size_t kMostLinks = 4096;

    /// Call it about ten times a second: syncs what was written, retries what was not.
    void tick(uint64_t now_ms);
    /// Writes everything again, whatever another process has done to the file.
    void write_all();
    /// A line for each thing that would be lost with this process, for health.
    [[nodiscard]] std::vector<std::string> problems() const;
    /// Removes everything that is kept, and keeps nothing from now on.
    void forget() noexcept;

  private:
    struct ReadObject {
        std::string key;
        Result<KeptObject> object;
    };

    [[nodiscard]] std::vector<ReadObject> read_objects() const;
    void drop_former_boot();
    void commit(KeyLog::Change change);
    void note(Result<void> done);

    KeyLog log_;
    std::future<std::vector<ReadObject>> ahead_;  // after log_, which its thread reads
    uint64_t look_again_ms_ = 0;
    uint64_t rewrite_again_ms_ = 0;
    std::string failure_;      ///< of the last attempt; empty if it succeeded
    uint64_t generation_ = 0;  ///< the one written
};

}  // namespace podlane::control
