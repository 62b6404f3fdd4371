#include "control/kube/store.h"

#include <gtest/gtest.h>

namespace podlane::control {
namespace {

Object service(const std::string& name, uint16_t port) {
    Service s;
    s.meta = {"default", name, {}, {}};
    s.ports = {{"", Protocol::kTcp, port, {port, ""}, 0, ""}};
    return std::make_shared<const Service>(s);
}

Object slice(const std::string& name, const std::string& of) {
    EndpointSlice s;
    s.meta = {"default", name, {}, {}};
    s.service = of;
    return std::make_shared<const EndpointSlice>(s);
}

Object pod(const std::string& name_space, const std::string& name) {
    Pod p;
    p.meta = {name_space, name, {}, {}};
    return std::make_shared<const Pod>(p);
}

std::vector<std::string> names(const std::vector<Change>& changes) {
    std::vector<std::string> out;
    for (const Change& change : changes) out.push_back(change.key.name);
    return out;
}

using Names = std::vector<std::string>;

class Store : public testing::Test {
  protected:
    void apply(const std::vector<Object>& objects) { store_.commit(store_.plan_apply(objects)); }
    ObjectStore store_;
};

TEST_F(Store, TellsAddedChangedAndUnchangedApart) {
    apply({service("a", 80), service("b", 80)});
    const ChangeSet changes =
        store_.plan_apply({service("c", 80), service("b", 81), service("a", 80)});
    EXPECT_EQ(names(changes.added), Names{"c"});
    EXPECT_EQ(names(changes.changed), Names{"b"});
    EXPECT_TRUE(changes.removed.empty());
    EXPECT_EQ(changes.unchanged, 1U);
    EXPECT_EQ(store_.size(), 2U) << "a plan changes nothing";
    store_.commit(changes);
    EXPECT_EQ(store_.size(), 3U);
    EXPECT_EQ(store_.find<Service>({"default", "b"})->ports[0].port, 81);
}

TEST_F(Store, TakesTheLaterOfTwo) {
    const ChangeSet changes = store_.plan_apply({service("a", 80), service("a", 81)});
    ASSERT_EQ(changes.added.size(), 1U);
    store_.commit(changes);
    EXPECT_EQ(store_.find<Service>({"default", "a"})->ports[0].port, 81);
}

TEST_F(Store, DeletesWhatIsThere) {
    apply({service("a", 80), service("b", 80)});
    const ObjectKey a{Kind::kService, "default", "a"};
    const ChangeSet changes = store_.plan_delete({a, {Kind::kService, "default", "x"}, a});
    EXPECT_EQ(names(changes.removed), Names{"a"});
    store_.commit(changes);
    EXPECT_EQ(store_.find<Service>({"default", "a"}), nullptr);
    EXPECT_FALSE(store_.find(a));
    EXPECT_EQ(store_.size(), 1U);
}

TEST_F(Store, ReplacesAllKinds) {
    apply({service("a", 80), service("b", 80), slice("b-1", "b"), pod("x", "p")});
    const ChangeSet changes = store_.plan_replace({service("b", 80), service("c", 80)});
    EXPECT_EQ(names(changes.added), Names{"c"});
    EXPECT_EQ(names(changes.removed), (Names{"p", "a", "b-1"}));
    EXPECT_EQ(changes.unchanged, 1U);
    store_.commit(changes);
    EXPECT_EQ(store_.size(), 2U);
    EXPECT_TRUE(store_.slices_of({"default", "b"}).empty());
}

TEST_F(Store, ReturnsToWhatItWas) {
    apply({service("a", 80), slice("a-1", "a"), slice("b-1", "b"), pod("x", "p")});
    const ObjectStore before = store_;
    const ChangeSet changes =
        store_.plan_replace({service("a", 81), slice("a-1", "b"), slice("c-1", "c")});
    store_.commit(changes);
    EXPECT_TRUE(store_.slices_of({"default", "a"}).empty());
    store_.revert(changes);
    EXPECT_EQ(store_.size(), before.size());
    EXPECT_EQ(store_.all<Service>(), before.all<Service>());
    EXPECT_EQ(store_.all<EndpointSlice>(), before.all<EndpointSlice>());
    EXPECT_EQ(store_.all<Pod>(), before.all<Pod>());
    EXPECT_EQ(store_.slices_of({"default", "a"}).size(), 1U);
    EXPECT_EQ(store_.slices_of({"default", "b"}).size(), 1U);
    EXPECT_TRUE(store_.slices_of({"default", "c"}).empty());
}

TEST_F(Store, FindsSlicesByServiceInOrder) {
    apply({slice("web-2", "web"), slice("other", "sql"), slice("web-1", "web"), slice("none", "")});
    const auto& slices = store_.slices_of({"default", "web"});
    ASSERT_EQ(slices.size(), 2U);
    EXPECT_EQ(slices[0]->meta.name, "web-1");
    EXPECT_EQ(slices[1]->meta.name, "web-2");
    EXPECT_TRUE(store_.slices_of({"other", "web"}).empty());
    EXPECT_TRUE(store_.slices_of({"default", ""}).empty());
}

TEST_F(Store, MovesASliceToAnotherService) {
    apply({slice("s", "web")});
    apply({slice("s", "sql")});
    EXPECT_TRUE(store_.slices_of({"default", "web"}).empty());
    EXPECT_EQ(store_.slices_of({"default", "sql"}).size(), 1U);
}

TEST_F(Store, FindsPodsByNamespace) {
    apply({pod("b", "2"), pod("a", "1"), pod("b", "1"), pod("ba", "1")});
    ASSERT_EQ(store_.pods_in("b").size(), 2U);
    EXPECT_EQ(store_.pods_in("b")[0]->meta.name, "1");
    EXPECT_TRUE(store_.pods_in("c").empty());
}

TEST_F(Store, ListsAKindInOrder) {
    apply({service("b", 80), service("a", 80), pod("x", "p")});
    const auto services = store_.list(Kind::kService);
    ASSERT_EQ(services.size(), 2U);
    EXPECT_EQ(meta_of(services[0]).name, "a");
    EXPECT_TRUE(store_.list(Kind::kNode).empty());
}

TEST_F(Store, IsNotTouchedByChangesOfItsCopy) {
    apply({service("a", 80)});
    ObjectStore copy = store_;
    copy.commit(copy.plan_replace({}));
    EXPECT_EQ(copy.size(), 0U);
    EXPECT_EQ(store_.size(), 1U);
}

}  // namespace
}  // namespace podlane::control
