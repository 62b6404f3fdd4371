#include "control/kube/objects.h"

#include <gtest/gtest.h>

#include "control/kube/kind_list.h"
#include "control/kube/meta.h"

namespace podlane::control {
namespace {

TEST(Pod, ResolvesItsPortsByName) {
    Pod pod;
    pod.ports = {{"dns", 53, 0, {}, Protocol::kUdp}, {"dns", 5353, 0, {}, Protocol::kTcp}};
    EXPECT_EQ(pod.resolve_port({80, ""}, Protocol::kTcp), 80);
    EXPECT_EQ(pod.resolve_port({0, "dns"}, Protocol::kTcp), 5353);
    EXPECT_EQ(pod.resolve_port({0, "dns"}, Protocol::kSctp), 0);
}

TEST(Objects, AreEqualWhenWhatIsKeptIsEqual) {
    auto a = std::make_shared<Namespace>();
    a->meta.name = "x";
    auto b = std::make_shared<Namespace>(*a);
    b->meta.origin = {"elsewhere", 7};
    EXPECT_TRUE(equal_objects(ObjectPtr<Namespace>(a), ObjectPtr<Namespace>(b)));
    b->meta.labels["l"] = "v";
    EXPECT_FALSE(equal_objects(ObjectPtr<Namespace>(a), ObjectPtr<Namespace>(b)));
    EXPECT_FALSE(equal_objects(ObjectPtr<Namespace>(a), std::make_shared<const Node>()));
}

TEST(Objects, KnowTheirKeys) {
    Service service;
    service.meta = {"default", "web", {}, {}};
    const Object object = std::make_shared<const Service>(service);
    EXPECT_EQ(kind_of(object), Kind::kService);
    EXPECT_EQ(key_of(object), (ObjectKey{Kind::kService, "default", "web"}));
    EXPECT_EQ(meta_of(object).name, "web");
}

TEST(Service, WithAnEmptySelectorSelectsNothing) {
    Service service;
    EXPECT_FALSE(service.has_selector());
    service.selector = Labels();
    EXPECT_FALSE(service.has_selector());
    service.selector = Labels{{"app", "web"}};
    EXPECT_TRUE(service.has_selector());
}

TEST(KindList, EachEntryHasItsStructEnumeratorNameAndWords) {
    size_t kinds = 0;
    for_each_kind([&]<class T>(std::type_identity<T>) {
        EXPECT_EQ(static_cast<size_t>(T::kKind), kinds) << "in the order of the list";
        EXPECT_EQ(kind_of(Object(std::make_shared<const T>())), T::kKind);
        EXPECT_EQ(kind_from_name(kind_name(T::kKind)), T::kKind);
        EXPECT_EQ(kind_from_word(kind_name(T::kKind)), T::kKind);
        ++kinds;
    });
    EXPECT_EQ(kinds, kKindCount);
#define PODLANE_ONE(...) +1
    EXPECT_EQ(kinds, size_t{0} PODLANE_KINDS(PODLANE_ONE));
#undef PODLANE_ONE
}

}  // namespace
}  // namespace podlane::control
