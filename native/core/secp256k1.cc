#include "secp256k1.h"

#include <include/secp256k1.h>
#include <include/secp256k1_preallocated.h>
#include <include/secp256k1_recovery.h>

#include <cstring>
#include <new>

#include "libsecp256k1.h"
#include "wipe.h"

#if defined(VALGRIND)
#include <valgrind/memcheck.h>
#endif

namespace amop {

namespace {

constexpr size_t kSignatureAt = 2;
constexpr size_t kDigestAt = kSignatureAt + kSignatureBytes;
constexpr size_t kKeyAt = kDigestAt + kDigestBytes;
constexpr size_t kCompactBytes = 64;
constexpr size_t kUncompressedBytes = 1 + kPublicKeyBytes;
// More than the library was seen to use of the stack below a call that handles a private key.
constexpr size_t kStackBytes = 16 * 1024;

constexpr uint8_t kOrder[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48,
                                0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};

// Only for the constant-time check: what a caller is told by a result is no secret any more.
inline void Declassify([[maybe_unused]] const void* data, [[maybe_unused]] size_t bytes) {
#if defined(VALGRIND)
  VALGRIND_MAKE_MEM_DEFINED(data, bytes);
#endif
}

// No argument of ours is illegal to the library. Should one be all the same, the call fails instead of the process.
void IgnoreIllegalArgument(const char*, void*) {}

ContextPointer CreateContext(unsigned int flags) {
  void* memory = ::operator new(secp256k1_context_preallocated_size(flags), std::nothrow);
  if (memory == nullptr) return nullptr;
  secp256k1_context* context = secp256k1_context_preallocated_create(memory, flags);
  secp256k1_context_set_illegal_callback(context, IgnoreIllegalArgument, nullptr);
  return ContextPointer(context);
}

bool WriteKey(const secp256k1_context* context, const secp256k1_pubkey& key, uint8_t* public_key) {
  uint8_t uncompressed[kUncompressedBytes];
  size_t bytes = sizeof uncompressed;
  if (secp256k1_ec_pubkey_serialize(context, uncompressed, &bytes, &key, SECP256K1_EC_UNCOMPRESSED) != 1) return false;
  std::memcpy(public_key, uncompressed + 1, kPublicKeyBytes);
  return true;
}

bool ReadKey(const secp256k1_context* context, const uint8_t* public_key, secp256k1_pubkey* key) {
  uint8_t uncompressed[kUncompressedBytes] = {0x04};
  std::memcpy(uncompressed + 1, public_key, kPublicKeyBytes);
  return secp256k1_ec_pubkey_parse(context, key, uncompressed, sizeof uncompressed) == 1;
}

bool IsHigh(const secp256k1_context* context, const secp256k1_ecdsa_signature& signature) {
  return secp256k1_ecdsa_signature_normalize(context, nullptr, &signature) == 1;
}

// The digest modulo the order, as RFC 6979 puts it into the nonce; the library takes the bytes as they are. Digests are public.
void ReduceDigest(const uint8_t* digest, uint8_t* reduced) {
  std::memcpy(reduced, digest, kDigestBytes);
  if (std::memcmp(digest, kOrder, sizeof kOrder) < 0) return;
  int borrow = 0;
  for (size_t i = kDigestBytes; i-- > 0;) {
    const int difference = digest[i] - kOrder[i] - borrow;
    borrow = difference < 0 ? 1 : 0;
    reduced[i] = static_cast<uint8_t>(difference & 0xff);
  }
}

// The library clears its secrets with plain memset, which compilers may leave out. Run right after it, at the same depth, this
// overwrites the part of the stack that it used.
#if defined(__GNUC__)
__attribute__((noinline))
#endif
void WipeStack() {
  uint8_t below[kStackBytes];
  Wipe(below, sizeof below);
}

}  // namespace

void ContextDeleter::operator()(secp256k1_context_struct* context) const {
  const size_t bytes = secp256k1_context_preallocated_clone_size(context);
  secp256k1_context_preallocated_destroy(context);
  Wipe(context, bytes);
  ::operator delete(context);
}

std::unique_ptr<const SignatureChecker> SignatureChecker::Create() {
  ContextPointer context = CreateContext(SECP256K1_CONTEXT_VERIFY);
  if (context == nullptr) return nullptr;
  return std::unique_ptr<const SignatureChecker>(new (std::nothrow) SignatureChecker(std::move(context)));
}

void SignatureChecker::VerifyBatch(const uint8_t* rows, size_t count, uint8_t* results) const {
  for (size_t i = 0; i < count; i++) results[i] = Verify(rows + i * kVerifyRowBytes) ? 1 : 0;
}

void SignatureChecker::RecoverBatch(const uint8_t* rows, size_t count, uint8_t* results) const {
  for (size_t i = 0; i < count; i++, results += kRecoverResultBytes) {
    std::memset(results, 0, kRecoverResultBytes);
    results[0] = Recover(rows + i * kRecoverRowBytes, results + 1) ? 1 : 0;
  }
}

bool SignatureChecker::Verify(const uint8_t* row) const {
  const auto rule = static_cast<SignatureRule>(row[0]);
  const bool wants_v = rule == SignatureRule::kStrict || rule == SignatureRule::kJava;
  if (!wants_v && rule != SignatureRule::kGo && rule != SignatureRule::kCompact) return false;
  if (row[1] != (rule == SignatureRule::kCompact ? kCompactBytes : kSignatureBytes)) return false;
  const secp256k1_context* context = context_.get();
  secp256k1_ecdsa_signature signature;
  secp256k1_pubkey key;
  if (secp256k1_ecdsa_signature_parse_compact(context, &signature, row + kSignatureAt) != 1) return false;
  if (!ReadKey(context, row + kKeyAt, &key)) return false;
  // This refuses high s by itself.
  if (!wants_v) return secp256k1_ecdsa_verify(context, &signature, row + kDigestAt, &key) == 1;
  if (rule == SignatureRule::kStrict && IsHigh(context, signature)) return false;
  return amop_ecdsa_verify_with_v(context, row + kSignatureAt, row + kDigestAt, &key) == 1;
}

bool SignatureChecker::Recover(const uint8_t* row, uint8_t* public_key) const {
  const auto rule = static_cast<SignatureRule>(row[0]);
  if (rule != SignatureRule::kStrict && rule != SignatureRule::kJava) return false;
  const uint8_t v = row[kSignatureAt + kCompactBytes];
  if (row[1] != kSignatureBytes || v > 3) return false;
  const secp256k1_context* context = context_.get();
  secp256k1_ecdsa_recoverable_signature recoverable;
  if (secp256k1_ecdsa_recoverable_signature_parse_compact(context, &recoverable, row + kSignatureAt, v) != 1) return false;
  secp256k1_ecdsa_signature plain;
  secp256k1_ecdsa_recoverable_signature_convert(context, &plain, &recoverable);
  if (rule == SignatureRule::kStrict && IsHigh(context, plain)) return false;
  secp256k1_pubkey key;
  return secp256k1_ecdsa_recover(context, &key, &recoverable, row + kDigestAt) == 1 && WriteKey(context, key, public_key);
}

std::unique_ptr<const SignatureMaker> SignatureMaker::Create(const uint8_t* seed) {
  // The third flag has a meaning only in the constant-time check, where the library is compiled with VALGRIND.
  ContextPointer context = CreateContext(SECP256K1_CONTEXT_SIGN | SECP256K1_CONTEXT_DECLASSIFY);
  if (context == nullptr || secp256k1_context_randomize(context.get(), seed) != 1) return nullptr;
  WipeStack();
  return std::unique_ptr<const SignatureMaker>(new (std::nothrow) SignatureMaker(std::move(context)));
}

bool SignatureMaker::Sign(const uint8_t* digest, const uint8_t* private_key, uint8_t* signature) const {
  // The library reads the key twice, for the nonce and for s. Another thread that changes it in between, which a shared buffer
  // allows, would get the nonce; so the library reads a copy.
  uint8_t key[kPrivateKeyBytes];
  uint8_t reduced[kDigestBytes];
  std::memcpy(key, private_key, sizeof key);
  ReduceDigest(digest, reduced);
  secp256k1_ecdsa_recoverable_signature recoverable;
  int ok = secp256k1_ecdsa_sign_recoverable(context_.get(), &recoverable, reduced, key, nullptr, nullptr);
  Wipe(key, sizeof key);
  WipeStack();
  Declassify(&ok, sizeof ok);
  Declassify(&recoverable, sizeof recoverable);
  int v = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(context_.get(), signature, &v, &recoverable);
  signature[kCompactBytes] = static_cast<uint8_t>(v);
  return ok == 1;
}

bool SignatureMaker::PublicFromPrivate(const uint8_t* private_key, uint8_t* public_key) const {
  uint8_t copy[kPrivateKeyBytes];
  std::memcpy(copy, private_key, sizeof copy);
  std::memset(public_key, 0, kPublicKeyBytes);
  secp256k1_pubkey key;
  int ok = secp256k1_ec_pubkey_create(context_.get(), &key, copy);
  Wipe(copy, sizeof copy);
  WipeStack();
  Declassify(&ok, sizeof ok);
  Declassify(&key, sizeof key);
  return ok == 1 && WriteKey(context_.get(), key, public_key);
}

}  // namespace amop
