// The control side of a running node: owns its state, and turns each change into a generation.
//
// The daemon drives it: methods of the config socket, events of the workers, a timer. Every change
// takes the same path: objects, ports, neighbours and learned MACs -> Compiler ->
// Dataplane::publish(). A change that is refused on that path has no effect. Everything runs on the
// control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/compile/compiler.h"
#include "control/config/node_config.h"
#include "control/dns/name_server.h"
#include "control/keep/keeper.h"
#include "control/kube/parse.h"
#include "control/kube/store.h"
#include "control/loadbalancer/allocator.h"
#include "control/node/announcements.h"
#include "control/node/explain.h"
#include "control/node/feeder_watch.h"
#include "control/node/flow_watch.h"
#include "control/node/host_ports.h"
#include "control/node/journal.h"
#include "control/node/kept_taps.h"
#include "control/node/links.h"
#include "control/node/listings.h"
#include "control/node/live_view.h"
#include "control/node/local_ports.h"
#include "control/node/object_owners.h"
#include "control/node/objects_text.h"
#include "control/node/peer_watch.h"
#include "control/node/refused_objects.h"
#include "control/node/shortcut.h"
#include "control/node/snat_watch.h"
#include "control/node/standstill.h"
#include "control/node/tap_maker.h"
#include "control/show/answers.h"
#include "control/show/news.h"
#include "control/show/node_stats.h"
#include "control/show/outcome.h"
#include "control/show/rows.h"
#include "control/show/views.h"
#include "lib/border/dataplane.h"

namespace podlane::control {

/// Parameters of `pod.add`.
struct PodAddRequest {
    std::string pod;  ///< "namespace/name"
    std::string netns;
    std::vector<std::string> addresses;
    std::string ifname = "eth0";
    std::string mac = {};  ///< empty: one is made
    /// The sandbox's id, which together with `ifname` is the port's key; empty: the key is the
    /// pod's name.
    std::string container = {};
    std::vector<PortMapping> port_mappings = {};
    Bandwidth bandwidth = {};
    std::string interface = "tap";            ///< or "memif", "vhostUser": a socket instead
    uint32_t user = 0, group = 0;             ///< may connect to the socket
    std::string by = std::string(kOperator);  ///< the program that asks, for `events`
};

/// Parameters of `pod.del`: the port of a container (of one interface in it, or all), or the one
/// whose key is the pod's name.
struct PodDelRequest {
    std::string pod = {};
    std::string container = {};
    std::string ifname = {};
    std::string by = std::string(kOperator);  ///< the program that asks, for `events`
};

/// The owner of a change of objects, and its scope.
struct ChangeScope {
    std::string owner = std::string(kOperator);
    std::vector<std::string> kinds = {};  ///< of `replace`: which it is about; empty: all
    bool allow_empty = false;             ///< `replace` with an empty set, or without a Node, is
                                          ///< intended
    /// For feeders: an object that cannot be accepted is refused by itself, not the whole change,
    /// and if two want the same address or port the older is served. A removal skips objects of
    /// other owners.
    bool each = false;
    /// For `replace`: the caller that keeps this connection is the owner's feeder.
    std::optional<FeederWatch::Connection> connection = std::nullopt;
};

/// Parameters of `watch`.
struct WatchRequest {
    std::vector<std::string> kinds;  ///< words as for `get`, and "events"
    /// The cursor of the last answer; none: return only the present cursor.
    std::optional<uint64_t> since;
};

/// The changes for a watcher.
struct WatchReport {
    uint64_t cursor = 0;  ///< for the next call
    uint64_t generation = 0;
    bool relist = false;  ///< some news are not kept any more: list again
    std::vector<News> news;
};

/// Parameters of `events`.
struct HistoryRequest {
    std::vector<std::string> kinds;  ///< words as for `get`, and what events are about; empty: all
    std::string name = {};           ///< or "namespace/"
    std::string by = {};
    uint64_t since_ms = 0, until_ms = 0;  ///< since 1970; 0: any
    /// The cursor of the last answer: return what came after it, oldest first; none: return the
    /// newest.
    std::optional<uint64_t> after = {};
    size_t limit = 0;  ///< 0: as many as one answer may have
};

using HealthChecksChanged = std::function<void(const HealthChecks&, const std::vector<IpAddress>&)>;

/// The node model's dependencies; all of them must outlive the model.
struct NodeParts {
    Dataplane& dataplane;
    TapMaker& taps;
    std::function<uint64_t()> now_ms;  ///< a monotonic clock
    /// Called after a generation that changed them, with the addresses of this node's kernel at
    /// which they are to be answered; may be empty.
    HealthChecksChanged health_checks_changed = {};
    NameServer* name_server = nullptr;  ///< null: queries that workers cannot answer are dropped
    /// Both null: no state survives the process.
    Keeper* keeper = nullptr;
    KeptTaps* kept_taps = nullptr;
    /// Called before an uplink's device is opened again: the kernel's interface behind it is
    /// another one than at the start. May be empty.
    std::function<Result<void>(const UplinkConfig&)> prepare_uplink = {};
    KernelFlows* kernel_flows = nullptr;  ///< null: the kernel carries nothing
};

/// A TAP of this node's own that outlives the process.
struct OwnTap {
    std::string netns;  ///< path; empty: the node's own
    std::string ifname;
    PortId port = kNoPort;
};

/// Threads: one. Answers are typed values (control/show), which the socket's bindings render.
class NodeModel {
  public:
    NodeModel(NodeConfig config, NodeParts parts);
    NodeModel(const NodeModel&) = delete;
    NodeModel& operator=(const NodeModel&) = delete;
    /// Removes the TAPs that are still there; with a keeper they are left, unless forget() was
    /// called.
    ~NodeModel();

    /// Makes the host interface and the static pod ports, takes the configured objects, publishes
    /// the first generation and announces the node's addresses. With a keeper, the kept state is
    /// part of the first generation. On an error everything is left as it was before.
    [[nodiscard]] Result<void> start();
    /// From now on nothing is kept, and this node leaves nothing behind when it ends.
    void forget() noexcept;
    /// TAPs that outlive the process: the pods' and the host's.
    [[nodiscard]] std::vector<OwnTap> taps() const;
    /// A pod with a DPDK socket, which only one process can have open; empty if there is none.
    [[nodiscard]] std::string pod_with_socket() const;
    /// Continue after another process began to take over and failed: replaces what it may have
    /// written to the journal.
    void go_on(const std::string& why);
    void pause_shortcut(ShortcutPause why, bool on) { shortcut_.pause(why, on); }
    /// Another process may take over: it begins with the kernel's maps.
    void rest_shortcut() { shortcut_.rest(); }

    // changes.cc
    // Another owner's object is a conflict, even if it would not change.
    Outcome<ChangeReport> apply(const std::vector<ObjectsText>& documents,
                                const ChangeScope& scope = {});
    /// Makes the owner's objects, of the kinds in scope, exactly these.
    Outcome<ChangeReport> replace(const std::vector<ObjectsText>& documents,
                                  const ChangeScope& scope = {});
    Outcome<ChangeReport> remove(const std::vector<ObjectsText>& documents,
                                 const ChangeScope& scope = {});
    Outcome<ChangeReport> remove(std::string_view kind, std::string_view name,
                                 const ChangeScope& scope = {});
    Outcome<ChangeReport> validate(const std::vector<ObjectsText>& documents,
                                   const ChangeScope& scope = {});
    Outcome<ChangeReport> diff(const std::vector<ObjectsText>& documents,
                               const ChangeScope& scope = {});

    // pods.cc
    Outcome<PodPortView> add_pod(const PodAddRequest& request);
    Outcome<PodRemoval> remove_pod(const PodDelRequest& request);

    // queries.cc
    /// `limit`: items at most, 0 is all; none: the kind's default.
    [[nodiscard]] Outcome<Listing> get(std::string_view kind, std::optional<std::string_view> name,
                                       std::optional<size_t> limit) const;
    /// `from`: where an earlier answer said that there are more.
    [[nodiscard]] Outcome<Listing> get_flows(const FlowQuestion& question,
                                             std::optional<size_t> limit, FlowCursor from) const;
    /// The refused objects of the kind, and why: one name, a namespace ("ns/"), or all.
    [[nodiscard]] Outcome<Listing> get_refused(std::string_view kind,
                                               std::optional<std::string_view> name) const;
    [[nodiscard]] NodeStats stats() const;
    [[nodiscard]] DropStats drops() const;
    [[nodiscard]] Outcome<Explanation> explain(const ExplainRequest& request) const;
    /// `probe`: "live" or "ready", the one thing that the status is about; none: all of it.
    [[nodiscard]] Outcome<HealthReport> health(std::optional<std::string_view> probe = {}) const;
    [[nodiscard]] AttachFacts node() const;
    /// The log level, of podlaned and of DPDK; if a level is given, it is set first.
    Outcome<LogLevelView> log_level(std::optional<std::string_view> level);
    /// Readiness: all workers run and turn, and no uplink or host interface is lost.
    [[nodiscard]] bool is_serving() const;
    /// Liveness: false if something is wrong that only a restart can fix. A node may be unready and
    /// live.
    [[nodiscard]] bool is_live() const noexcept { return !standstill_.is_hopeless(); }

    /// Connections are logged from now on. After start().
    void log_flows(FlowLogPlan plan) { flow_watch_.set_log(std::move(plan)); }
    /// Who opened most connections lately, at most `count`; counts from the first call on.
    [[nodiscard]] NewFlowReport new_flows(size_t count) {
        return flow_watch_.new_flows(live(), count);
    }
    /// Traffic from and to each other Node; counts from the first call on.
    [[nodiscard]] PeerReport peers() {
        return peer_watch_.report(compiler_.node_numbers(), now_ms_());
    }

    // watch.cc
    [[nodiscard]] Outcome<WatchReport> watch(const WatchRequest& request) const;
    // history.cc
    [[nodiscard]] Outcome<History> history(const HistoryRequest& request) const;
    /// `told` is called for each change, within the call that causes it.
    void on_news(std::function<void()> told) { news_ = std::move(told); }

    // ingress_objects.cc
    /// All Ingresses and IngressClasses, and the Services and Secrets that Ingresses name; without
    /// any of it while the generation is still `since`.
    [[nodiscard]] IngressObjects ingress_objects(std::optional<uint64_t> since) const;

    // resolve.cc
    /// The DNS server's answer to this question, as far as the snapshot has it.
    [[nodiscard]] Outcome<Resolution> resolve(std::string_view name, std::string_view type) const;

    // events.cc
    /// Handles the workers' reports. Requests for neighbours go out at once; changes that need a
    /// new generation wait for publish_pending(), so that a burst of events costs one.
    void handle_events();
    /// Lets time pass: neighbours, learned addresses, source ports. Some ten times a second.
    void tick();
    [[nodiscard]] bool has_pending() const noexcept { return pending_; }
    /// Publishes the changes that handle_events() and tick() left; does nothing if there are none.
    void publish_pending();

    [[nodiscard]] const NodeConfig& config() const noexcept { return config_; }

  private:
    // node_model.cc
    Result<void> add_host_port();
    Result<void> add_dns_port();
    Result<void> add_static_ports();
    Result<void> load_objects(std::vector<KeptObject> kept);
    void restore_addresses();
    /// Compiles and publishes; notices of the compiler. An error leaves the live generation.
    Result<std::vector<std::string>> publish(const ChangeSet* objects, bool topology,
                                             OnConflict on_conflict = OnConflict::kRefuse);
    [[nodiscard]] TopologyInput topology() const;
    void tell_health_checks();
    [[nodiscard]] unsigned tap_queues() const;
    [[nodiscard]] LiveView live() const;

    // restore.cc
    /// Takes over the pods of an earlier process, and the rest that it left.
    [[nodiscard]] KeptState restore();
    void restore_pods(const std::vector<KeptPod>& pods);
    [[nodiscard]] std::optional<std::string> restore_pod(const KeptPod& kept,
                                                         Result<LocalPort> port);
    /// Adds the kept objects; false: they cannot be used.
    [[nodiscard]] bool publish_kept(const std::vector<KeptObject>& kept,
                                    const std::vector<Object>& configured);
    void keep_pod(const AttachedPod& pod, NetnsId where);
    /// Ends this node's own ports.
    void clear_ports() noexcept;
    /// Called from time to time, because links change constantly.
    void keep_links(uint64_t now_ms);
    /// Pods whose namespaces are removed though our queues keep them alive.
    void look_at_namespaces(uint64_t now_ms);

    // changes.cc
    [[nodiscard]] Result<ParsedObjects> parse(const std::vector<ObjectsText>& documents,
                                              bool each = false) const;
    /// With `each`: moves other owners' objects to the refused ones.
    void refuse_others(ParsedObjects& parsed, const ChangeScope& scope) const;
    /// With `each`: a new NetworkPolicy that cannot be read isolates what it selects.
    void close_refused_policies(ParsedObjects& parsed) const;
    /// After a change: remembers its refused objects, and forgets those that were accepted.
    void follow_refused(const ParsedObjects& parsed, const ChangeScope& scope);
    [[nodiscard]] static std::optional<Refusal> check_owner(const ChangeScope& scope);
    [[nodiscard]] static Outcome<std::set<Kind>> kinds_of(const ChangeScope& scope);
    /// Whether all existing objects among `keys` belong to the owner.
    [[nodiscard]] std::optional<Refusal> check_keys(const std::vector<ObjectKey>& keys,
                                                    const ChangeScope& scope) const;
    /// Whether a set may be meant that removes everything, or every Node.
    [[nodiscard]] static std::optional<Refusal> check_replacement(
        const std::vector<ObjectKey>& wanted, const ChangeSet& plan);
    Outcome<ChangeReport> commit(ChangeSet plan, std::vector<std::string> notices,
                                 const ChangeScope& scope);
    /// commit(), with the objects that were refused before there was a plan.
    Outcome<ChangeReport> commit(ChangeSet plan, ParsedObjects parsed, const ChangeScope& scope);
    /// The plan is live: the addresses that it brought are remembered.
    void accept(AddressAllocator::Outcome outcome);
    Outcome<ChangeReport> do_apply(const std::vector<ObjectsText>& documents,
                                   const ChangeScope& scope);
    Outcome<ChangeReport> do_replace(const std::vector<ObjectsText>& documents,
                                     const ChangeScope& scope);
    Outcome<ChangeReport> do_remove(const std::vector<ObjectsText>& documents,
                                    const ChangeScope& scope);
    Outcome<ChangeReport> do_remove(std::string_view kind, std::string_view name,
                                    const ChangeScope& scope);
    /// Returns `done`; reports a refusal as news.
    Outcome<ChangeReport> told(Outcome<ChangeReport> done, std::string_view what,
                               const ChangeScope& scope);
    Outcome<ChangeReport> dry_run(const std::vector<ObjectsText>& documents,
                                  const ChangeScope& scope);

    // pods.cc
    struct PodPlan {
        MacAddress mac{};                  ///< zero: one is made
        std::vector<IpAddress> addresses;  ///< sorted
        std::vector<InterfaceAddress> interface_addresses;
        std::vector<IpAddress> gateways;
        std::vector<ContainerPort> host_ports;
        PodSocket socket;
    };
    [[nodiscard]] Outcome<PodPlan> plan_pod(const PodAddRequest& request) const;
    /// Which other pod's port conflicts with this one, and in what.
    [[nodiscard]] std::optional<Refusal> check_free(const PodAddRequest& request,
                                                    const PodPlan& plan) const;
    /// Opens a TAP in the pod's namespace, or a socket's device, as a port not yet in any
    /// generation.
    [[nodiscard]] Result<LocalPort> open_pod_port(const PodAddRequest& request, const PodPlan& plan,
                                                  const std::string& name, const MacAddress& mac);
    [[nodiscard]] Result<LocalPort> open_pod_socket(const std::string& name,
                                                    const PodSocket& socket,
                                                    const Bandwidth& bandwidth);
    [[nodiscard]] Outcome<std::vector<PodPortKey>> keys_to_remove(
        const PodDelRequest& request) const;
    /// Whether a pod's port has it, or the pods' gateway.
    [[nodiscard]] bool is_mac_taken(const MacAddress& mac) const;
    /// Opens a pod's port; `name` and the rest are as in TapPortSpec.
    [[nodiscard]] Result<LocalPort> open_pod_tap(const std::string& name, const std::string& ifname,
                                                 const MacAddress& mac, const Bandwidth& bandwidth,
                                                 MadeTap tap);
    [[nodiscard]] MacAddress pick_pod_mac(const std::string& pod) const;
    [[nodiscard]] PodPortView view_of(const AttachedPod& pod) const;
    /// Connections of a pod that has gone are not another's who gets its address.
    void purge(const std::vector<IpAddress>& addresses);
    /// Out of the tables, a generation without it, its connections purged, the port closed.
    Result<void> detach(const PodPortKey& key, const std::string& by);

    // watch.cc
    /// With the time and the generation of now.
    void tell(News news);
    /// Something of the kind is another than before, all of it without a name: of use to those who
    /// watch, alone.
    void tell_programs(std::string_view kind, std::string name) {
        tell({.kind = kind, .name = std::move(name)});
    }
    /// News that has only a text. `topic` must live until the process ends.
    void tell_event(std::string_view topic, std::string_view name, std::string_view text);
    void tell_objects(const ChangeSet& objects, const std::string& owner);
    void tell_refusal(const ChangeScope& scope, std::string_view what, const Refusal& refusal);
    /// After a generation with other ports, neighbours or learned addresses.
    void tell_topology();

    // events.cc
    void handle(const Event& event);
    void port_lost(PortId port);
    void wake_missed(PortId port);
    void look_at_links(uint64_t now_ms);
    void look_at_workers();

    // uplinks_back.cc
    struct LostUplink {
        const UplinkConfig* uplink;
        uint64_t try_again_ms = 0;
        bool is_closed = false;    ///< its port is gone, and the id may be another's
        std::string failure = {};  ///< of the last try, reported once
    };
    void take_back_uplinks(uint64_t now_ms);
    [[nodiscard]] bool take_back(PortId port, LostUplink& lost, uint64_t now_ms);
    [[nodiscard]] Result<PortId> reopen(const UplinkConfig& uplink);
    /// Those whose NICs have the shortcut's program.
    void add_uplinks_to_shortcut();

    const NodeConfig config_;
    Dataplane& dataplane_;
    TapMaker& taps_;
    NameServer* const name_server_;
    Keeper* const keeper_;
    KeptTaps* const kept_taps_;
    /// Of pods' ports: their queues keep the namespaces alive, so such a port is gone when this is
    /// no longer the namespace at its path.
    std::map<PortId, NetnsId> watched_netns_;
    const std::function<Result<void>(const UplinkConfig&)> prepare_uplink_;
    std::map<PortId, LostUplink> lost_uplinks_;
    bool forget_ = false;
    uint64_t look_at_namespaces_ms_ = 0;
    uint64_t keep_links_ms_ = 0;
    unsigned sockets_made_ = 0;   ///< numbers for their devices
    bool leave_sockets_ = false;  ///< for the next process, and for the containers that mount them
    const std::function<uint64_t()> now_ms_;
    const HealthChecksChanged health_checks_changed_;
    const uint64_t started_ms_;
    uint64_t health_epoch_ = 0;  ///< that was told

    ObjectStore store_;
    ObjectOwners owners_;
    RefusedObjects refused_;
    AddressAllocator addresses_;
    Compiler compiler_;
    LocalPorts ports_;
    Links links_;
    Announcements announcements_;
    SnatWatch snat_watch_;
    FeederWatch feeder_watch_;
    Standstill standstill_;
    FlowWatch flow_watch_;
    PeerWatch peer_watch_;
    Shortcut shortcut_;
    Journal journal_;
    std::string last_refusal_;  ///< that was told
    std::function<void()> news_;
    bool is_started_ = false;  ///< changes at start are not news
    bool pending_ = false;
};

}  // namespace podlane::control
