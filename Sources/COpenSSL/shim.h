// OpenSSL, and the macros of it that Swift cannot import.
#ifndef SIGNALBOX_COPENSSL_SHIM_H
#define SIGNALBOX_COPENSSL_SHIM_H

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/srtp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// A fresh P-256 key; `EVP_EC_gen` is a macro over a variadic function.
static inline EVP_PKEY *signalbox_generate_p256_key(void) { return EVP_EC_gen("P-256"); }

// What a DTLS context always refuses or forgoes; the `SSL_OP_*` constants are casts.
static inline void signalbox_set_dtls_options(SSL_CTX *context) {
    SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION
                                     | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
}

// HMAC-SHA1 with both pads hashed once per key. EVP_MAC allocates for every message, which SRTP cannot afford per
// packet; the plain SHA-1 functions are deprecated, not removed.
typedef struct {
    SHA_CTX inner;
    SHA_CTX outer;
} signalbox_hmac_sha1_key;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

// Prepares a key of at most 64 bytes; longer ones are cut, which SRTP never needs.
static inline void signalbox_hmac_sha1_prepare(signalbox_hmac_sha1_key *state, const void *key, size_t length) {
    unsigned char pad[64];
    const unsigned char *bytes = (const unsigned char *)key;
    if (length > sizeof pad) length = sizeof pad;
    for (size_t i = 0; i < sizeof pad; i++) pad[i] = (i < length ? bytes[i] : 0) ^ 0x36;
    SHA1_Init(&state->inner);
    SHA1_Update(&state->inner, pad, sizeof pad);
    for (size_t i = 0; i < sizeof pad; i++) pad[i] ^= 0x36 ^ 0x5C;
    SHA1_Init(&state->outer);
    SHA1_Update(&state->outer, pad, sizeof pad);
    OPENSSL_cleanse(pad, sizeof pad);
}

// The 20-byte code of `length` bytes followed by the four bytes of `suffix` in network order, when `has_suffix`.
static inline void signalbox_hmac_sha1(
    const signalbox_hmac_sha1_key *state, const void *data, size_t length, int has_suffix, uint32_t suffix,
    unsigned char *code
) {
    SHA_CTX hash = state->inner;
    SHA1_Update(&hash, data, length);
    if (has_suffix) {
        unsigned char word[4] = {
            (unsigned char)(suffix >> 24), (unsigned char)(suffix >> 16), (unsigned char)(suffix >> 8),
            (unsigned char)suffix
        };
        SHA1_Update(&hash, word, sizeof word);
    }
    SHA1_Final(code, &hash);
    hash = state->outer;
    SHA1_Update(&hash, code, SHA_DIGEST_LENGTH);
    SHA1_Final(code, &hash);
}

#pragma GCC diagnostic pop

#endif
