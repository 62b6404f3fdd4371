#include "control/ingress/tls_pair.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>
#include <memory>

namespace podlane::control {

namespace {

template <auto free_it>
struct Freer {
    template <class T>
    void operator()(T* object) const noexcept {
        free_it(object);
    }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;

/// Makes an encrypted key fail without a password prompt on the terminal.
int no_password(char*, int, int, void*) {
    return -1;
}

Bio open(std::string_view text) {
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string fault_of(std::string_view certificate, std::string_view key) {
    const Bio chain = open(certificate);
    const Certificate leaf(PEM_read_bio_X509(chain.get(), nullptr, no_password, nullptr));
    if (!leaf) return "tls.crt holds no certificate in PEM";
    while (Certificate(PEM_read_bio_X509(chain.get(), nullptr, no_password, nullptr))) {
    }
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        return "tls.crt holds a broken certificate behind the first";
    }
    const Bio text = open(key);
    const Key private_key(PEM_read_bio_PrivateKey(text.get(), nullptr, no_password, nullptr));
    if (!private_key) return "tls.key holds no private key in PEM without a password";
    if (X509_check_private_key(leaf.get(), private_key.get()) != 1) {
        return "tls.key is not the key of the certificate in tls.crt";
    }
    return {};
}

}  // namespace

std::string tls_pair_fault(std::string_view certificate, std::string_view key) {
    std::string fault = fault_of(certificate, key);
    ERR_clear_error();
    return fault;
}

std::string short_digest(std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
    std::string out;
    for (size_t i = 0; i < 8; ++i) out += fmt::format("{:02x}", digest[i]);
    return out;
}

}  // namespace podlane::control
