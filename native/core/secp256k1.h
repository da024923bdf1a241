// ECDSA over secp256k1 as the SDKs of private topics use it, over libsecp256k1 (libsecp256k1.c).
// The contract is src/addon/secp256k1-types.ts; the constants here repeat it.
//
// Row of a check, fixed length, so that a batch is one block of memory:
//
//   0      1    rule, a SignatureRule
//   1      1    length of the signature as it was given, 255 for more
//   2      65   r (32) || s (32) || v (1); what stands behind a shorter one means nothing
//   67     32   digest
//   99     64   public key X || Y; absent in a row of a recovery
//
// Two classes, because their secrets and their threads differ: SignatureChecker sees only public data and serves any number of
// threads at once, SignatureMaker sees private keys and belongs to one thread.
#ifndef AMOP_NATIVE_CORE_SECP256K1_H_
#define AMOP_NATIVE_CORE_SECP256K1_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

struct secp256k1_context_struct;

namespace amop {

constexpr size_t kDigestBytes = 32;
constexpr size_t kPrivateKeyBytes = 32;
constexpr size_t kPublicKeyBytes = 64;
constexpr size_t kSignatureBytes = 65;
constexpr size_t kSeedBytes = 32;

constexpr size_t kVerifyRowBytes = 2 + kSignatureBytes + kDigestBytes + kPublicKeyBytes;
constexpr size_t kRecoverRowBytes = 2 + kSignatureBytes + kDigestBytes;
// Of each row: 1 or 0.
constexpr size_t kVerifyResultBytes = 1;
// Of each row: 1 and the public key, or zeros.
constexpr size_t kRecoverResultBytes = 1 + kPublicKeyBytes;

// Which signatures count, by what existing verifiers accept. "Right v" means that recovery with it gives this very key.
enum class SignatureRule : uint8_t {
  kStrict = 0,   // 65 bytes, low s, right v: what every verifier accepts
  kJava = 1,     // 65 bytes, right v, any s
  kGo = 2,       // 65 bytes, low s, v ignored
  kCompact = 3,  // 64 bytes, low s
};

// A context of the library in memory of ours: the library's own allocation ends the process when there is none.
struct ContextDeleter {
  void operator()(secp256k1_context_struct* context) const;
};
using ContextPointer = std::unique_ptr<secp256k1_context_struct, ContextDeleter>;

class SignatureChecker {
 public:
  // Null without memory.
  static std::unique_ptr<const SignatureChecker> Create();

  // Reads count * kVerifyRowBytes, writes count * kVerifyResultBytes.
  void VerifyBatch(const uint8_t* rows, size_t count, uint8_t* results) const;
  // Reads count * kRecoverRowBytes, writes count * kRecoverResultBytes. Only rules that look at v recover anything.
  void RecoverBatch(const uint8_t* rows, size_t count, uint8_t* results) const;

 private:
  explicit SignatureChecker(ContextPointer context) : context_(std::move(context)) {}
  bool Verify(const uint8_t* row) const;
  bool Recover(const uint8_t* row, uint8_t* public_key) const;

  ContextPointer context_;
};

class SignatureMaker {
 public:
  // `seed`: kSeedBytes unpredictable bytes that blind every computation with a private key. Null without memory.
  static std::unique_ptr<const SignatureMaker> Create(const uint8_t* seed);

  // RFC 6979 and low s: the same digest and key give the same 65 bytes r || s || v. False, and zeros, when the private key is
  // 0 or not below the order of the curve.
  bool Sign(const uint8_t* digest, const uint8_t* private_key, uint8_t* signature) const;
  // X || Y of the private key; false, and zeros, as above.
  bool PublicFromPrivate(const uint8_t* private_key, uint8_t* public_key) const;

 private:
  explicit SignatureMaker(ContextPointer context) : context_(std::move(context)) {}

  ContextPointer context_;
};

}  // namespace amop

#endif  // AMOP_NATIVE_CORE_SECP256K1_H_
