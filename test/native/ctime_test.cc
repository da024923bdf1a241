// Constant-time check of native/core, run under valgrind by ctime.sh: private keys and the seed of the blinding are marked as
// undefined memory, so that valgrind reports every branch and every address that depends on them. `ctime_test branch` makes one
// on purpose: it shows that such a thing is reported.
#include <valgrind/memcheck.h>

#include <cstdint>
#include <cstdio>
#include <cstring>

#include "../../native/core/secp256k1.h"
#include "check.h"

using amop::SignatureMaker;

namespace {

// Key A of the SDKs' vectors, with the digest and the signature of the Java challenge.
constexpr uint8_t kKey[] = {0xc0, 0xc8, 0xb4, 0xd9, 0x6a, 0xa4, 0xae, 0xfa, 0xee, 0xaf, 0xa1, 0x57, 0x78, 0x9d, 0x52, 0x8b,
                            0x60, 0x10, 0xf6, 0x50, 0x59, 0xde, 0xe7, 0x96, 0xd8, 0x75, 0x7e, 0x11, 0x71, 0xbb, 0xcd, 0x2c};
constexpr uint8_t kDigest[] = {0x95, 0xe8, 0x5f, 0xba, 0x32, 0x45, 0x0b, 0xd6, 0x61, 0x84, 0x67,
                               0x00, 0x18, 0x14, 0x65, 0x96, 0x9a, 0xb8, 0xd3, 0x90, 0x8f, 0x3c,
                               0x57, 0x31, 0xbc, 0xe7, 0xae, 0xb2, 0xfb, 0x84, 0x55, 0x97};
constexpr uint8_t kRBegin[] = {0x2f, 0x7c, 0x3f, 0x9c, 0xe5, 0xec, 0xb1, 0x00};
constexpr uint8_t kXBegin[] = {0xd7, 0xb9, 0xe0, 0x0f, 0x56, 0xd3, 0xf7, 0x93};

void MarkSecret(const void* data, size_t bytes) { VALGRIND_MAKE_MEM_UNDEFINED(data, bytes); }

void SignsInConstantTime(const SignatureMaker& maker) {
  uint8_t key[sizeof kKey];
  uint8_t signature[amop::kSignatureBytes];
  std::memcpy(key, kKey, sizeof key);
  MarkSecret(key, sizeof key);
  CHECK(maker.Sign(kDigest, key, signature));
  CHECK(std::memcmp(signature, kRBegin, sizeof kRBegin) == 0 && signature[64] == 0);
}

void MakesPublicKeysInConstantTime(const SignatureMaker& maker) {
  uint8_t key[sizeof kKey];
  uint8_t public_key[amop::kPublicKeyBytes];
  std::memcpy(key, kKey, sizeof key);
  MarkSecret(key, sizeof key);
  CHECK(maker.PublicFromPrivate(key, public_key));
  CHECK(std::memcmp(public_key, kXBegin, sizeof kXBegin) == 0);
}

// A key that is refused is told by the result, which is not secret, and by nothing before it.
void RefusesInConstantTime(const SignatureMaker& maker) {
  uint8_t key[sizeof kKey];
  uint8_t output[amop::kSignatureBytes];
  for (const int byte : {0x00, 0xff}) {
    std::memset(key, byte, sizeof key);
    MarkSecret(key, sizeof key);
    CHECK(!maker.Sign(kDigest, key, output));
    CHECK(!maker.PublicFromPrivate(key, output));
  }
}

void BranchesOnASecret() {
  volatile uint8_t key = 1;
  MarkSecret(const_cast<const uint8_t*>(&key), 1);
  if (key == 1) std::puts("a branch on a secret");
}

}  // namespace

int main(int argc, char** argv) {
  if (!RUNNING_ON_VALGRIND) {
    std::fprintf(stderr, "ctime_test shows something only under valgrind; run test/native/ctime.sh\n");
    return 1;
  }
  if (argc > 1 && std::strcmp(argv[1], "branch") == 0) BranchesOnASecret();
  uint8_t seed[amop::kSeedBytes];
  std::memset(seed, 0x5e, sizeof seed);
  const auto plain = SignatureMaker::Create(seed);
  MarkSecret(seed, sizeof seed);
  const auto blinded = SignatureMaker::Create(seed);
  if (CHECK(plain != nullptr && blinded != nullptr)) {
    for (const SignatureMaker* maker : {plain.get(), blinded.get()}) {
      SignsInConstantTime(*maker);
      MakesPublicKeysInConstantTime(*maker);
      RefusesInConstantTime(*maker);
    }
  }
  return amop_test::FinishTests("constant time");
}
