#include "control/ingress/tls_pair.h"

#include "tests/unit/kube/support.h"

namespace podlane::control {
namespace {

/// The Secrets of the golden tests.
class TlsPair : public testing::Test {
  protected:
    static Secret secret(const char* folder) {
        const auto path = source_root() / "tests/golden/ingress" / folder / "objects.yml";
        for (const Object& object : parse(contents(path)).objects) {
            if (const auto* found = std::get_if<ObjectPtr<Secret>>(&object)) return **found;
        }
        ADD_FAILURE() << "no Secret in " << path;
        return {};
    }
    const Secret good_ = secret("tls");
    const Secret wrong_ = secret("faults");
};

TEST_F(TlsPair, ThatBelongsTogetherIsGood) {
    EXPECT_EQ(tls_pair_fault(good_.certificate, good_.key), "");
    EXPECT_EQ(tls_pair_fault(good_.certificate + good_.certificate, good_.key), "");
}

TEST_F(TlsPair, OfTwoPairsIsNamed) {
    EXPECT_EQ(tls_pair_fault(good_.certificate, wrong_.key),
              "tls.key is not the key of the certificate in tls.crt");
}

TEST_F(TlsPair, ThatIsNoPemIsNamed) {
    EXPECT_EQ(tls_pair_fault("", good_.key), "tls.crt holds no certificate in PEM");
    EXPECT_EQ(tls_pair_fault(good_.key, good_.key), "tls.crt holds no certificate in PEM");
    EXPECT_EQ(tls_pair_fault(good_.certificate, good_.certificate),
              "tls.key holds no private key in PEM without a password");
    EXPECT_EQ(tls_pair_fault(good_.certificate + "-----BEGIN CERTIFICATE-----\nxx\n", good_.key),
              "tls.crt holds a broken certificate behind the first");
}

TEST_F(TlsPair, CutAnywhereIsRefusedAndNotShown) {
    for (size_t size = 0; size + 40 < good_.key.size(); ++size) {
        const std::string fault = tls_pair_fault(good_.certificate, good_.key.substr(0, size));
        EXPECT_EQ(fault, "tls.key holds no private key in PEM without a password");
    }
}

TEST(ShortDigest, IsTheBeginningOfSha256) {
    EXPECT_EQ(short_digest("abc"), "ba7816bf8f01cfea");
}

}  // namespace
}  // namespace podlane::control
