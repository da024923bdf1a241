/* What this project adds to libsecp256k1, because it needs the library's internals. Only public data. */
#ifndef AMOP_NATIVE_CORE_LIBSECP256K1_H_
#define AMOP_NATIVE_CORE_LIBSECP256K1_H_

#include <include/secp256k1.h>

#ifdef __cplusplus
extern "C" {
#endif

/* 1 when r || s || v is a signature of the digest by the key, s of either half, and v the recovery id that belongs to it: the same
   answer as recovering a key by v and comparing, without the square root that recovery needs (28 us instead of 33). */
int amop_ecdsa_verify_with_v(const secp256k1_context *ctx, const unsigned char *signature65, const unsigned char *digest32,
                             const secp256k1_pubkey *pubkey);

#ifdef __cplusplus
}
#endif

#endif /* AMOP_NATIVE_CORE_LIBSECP256K1_H_ */
