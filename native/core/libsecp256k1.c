// The one translation unit of libsecp256k1, and the only place that configures it: the addon, the tests under sanitizers and
// the constant-time check compile this file. The source is the npm package secp256k1-wasm, whose folder depend/secp256k1 must
// be on the include path; nothing of that package but this source is used.
#include <string.h> /* the package's util.h calls memcmp without it */

#define SECP256K1_BUILD
/* Nothing of the library leaves the addon. */
#define SECP256K1_API
#define ENABLE_MODULE_RECOVERY 1
#define ECMULT_GEN_PREC_BITS 4
/* 128 KiB of tables, made in 0.7 ms. The library's own choice, 15, makes a verification 2 % faster in a loop and costs 1 MiB and
   5 ms for each environment; here batches are small and rare, so the tables are mostly cold. */
#define ECMULT_WINDOW_SIZE 12

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-function"
#endif

#include "include/secp256k1.h"
#include "src/util.h"
#include "src/field_impl.h"
#include "src/scalar_impl.h"

/* The conditional moves of this version compute masks from a flag that can only be 0 or 1. Clang 14 and newer see that and
   make branches on it, which depend on the private key (repaired in libsecp256k1 0.3.1). So every caller of them, all in the
   files below, passes a flag of which the compiler knows nothing. test/native/ctime.sh fails with Clang without this. */
#if defined(__GNUC__)
static SECP256K1_INLINE int amop_hide_from_compiler(int flag) {
    __asm__("" : "+r"(flag));
    return flag;
}
#define secp256k1_fe_cmov(r, a, flag) secp256k1_fe_cmov(r, a, amop_hide_from_compiler(flag))
#define secp256k1_fe_storage_cmov(r, a, flag) secp256k1_fe_storage_cmov(r, a, amop_hide_from_compiler(flag))
#define secp256k1_scalar_cmov(r, a, flag) secp256k1_scalar_cmov(r, a, amop_hide_from_compiler(flag))
#endif

#include "src/secp256k1.c"

#include "libsecp256k1.h"

int amop_ecdsa_verify_with_v(const secp256k1_context *ctx, const unsigned char *signature65, const unsigned char *digest32,
                             const secp256k1_pubkey *pubkey) {
    secp256k1_scalar r, s, digest, s_inverse, u1, u2, x_mod_order;
    secp256k1_ge key, point;
    secp256k1_gej key_jacobian, point_jacobian;
    unsigned char x[32];
    int overflow;

    secp256k1_scalar_set_b32(&r, signature65, &overflow);
    if (overflow || secp256k1_scalar_is_zero(&r)) return 0;
    secp256k1_scalar_set_b32(&s, signature65 + 32, &overflow);
    if (overflow || secp256k1_scalar_is_zero(&s)) return 0;
    if (!secp256k1_pubkey_load(ctx, &key, pubkey)) return 0;
    secp256k1_scalar_set_b32(&digest, digest32, NULL);

    secp256k1_scalar_inverse_var(&s_inverse, &s);
    secp256k1_scalar_mul(&u1, &s_inverse, &digest);
    secp256k1_scalar_mul(&u2, &s_inverse, &r);
    secp256k1_gej_set_ge(&key_jacobian, &key);
    secp256k1_ecmult(&ctx->ecmult_ctx, &point_jacobian, &key_jacobian, &u2, &u1);
    if (secp256k1_gej_is_infinity(&point_jacobian)) return 0;

    secp256k1_ge_set_gej_var(&point, &point_jacobian);
    secp256k1_fe_normalize_var(&point.x);
    secp256k1_fe_normalize_var(&point.y);
    secp256k1_fe_get_b32(x, &point.x);
    secp256k1_scalar_set_b32(&x_mod_order, x, &overflow);
    return secp256k1_scalar_eq(&x_mod_order, &r) && signature65[64] == ((overflow ? 2 : 0) | secp256k1_fe_is_odd(&point.y));
}
