// What native/core leaves behind of a private key: each operation runs on a stack of ours, which is searched afterwards.
// Compiled as the addon is, without sanitizers: those keep locals elsewhere.
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "../../native/core/secp256k1.h"
#include "check.h"

using amop::SignatureMaker;

namespace {

constexpr size_t kStackBytes = 1 << 20;
// Half of the key is enough to call it left behind.
constexpr size_t kTraceBytes = 16;

struct Operation {
  void (*run)(const SignatureMaker& maker, const uint8_t* key);
  const SignatureMaker* maker;
  const uint8_t* key;
};

void* RunOperation(void* data) {
  const auto* operation = static_cast<Operation*>(data);
  operation->run(*operation->maker, operation->key);
  return nullptr;
}

// Whether `operation` leaves the key on its stack, as it was given or with its bytes turned round, as the library's numbers are.
bool LeavesTrace(Operation operation) {
  auto* stack = static_cast<uint8_t*>(mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (!CHECK(stack != MAP_FAILED)) return true;
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, stack, kStackBytes);
  CHECK(pthread_create(&thread, &attributes, RunOperation, &operation) == 0 && pthread_join(thread, nullptr) == 0);
  const std::vector<uint8_t> key(operation.key, operation.key + amop::kPrivateKeyBytes);
  const std::vector<uint8_t> reversed(key.rbegin(), key.rend());
  bool found = false;
  for (const std::vector<uint8_t>& form : {key, reversed}) {
    for (size_t part = 0; part < amop::kPrivateKeyBytes; part += kTraceBytes) {
      found |= std::search(stack, stack + kStackBytes, form.begin() + static_cast<std::ptrdiff_t>(part),
                           form.begin() + static_cast<std::ptrdiff_t>(part + kTraceBytes)) != stack + kStackBytes;
    }
  }
  munmap(stack, kStackBytes);
  return found;
}

void Sign(const SignatureMaker& maker, const uint8_t* key) {
  const uint8_t digest[amop::kDigestBytes] = {1, 2, 3};
  uint8_t signature[amop::kSignatureBytes];
  CHECK(maker.Sign(digest, key, signature));
}

void PublicFromPrivate(const SignatureMaker& maker, const uint8_t* key) {
  uint8_t public_key[amop::kPublicKeyBytes];
  CHECK(maker.PublicFromPrivate(key, public_key));
}

// Here the seed is the secret.
void Create(const SignatureMaker&, const uint8_t* seed) { CHECK(SignatureMaker::Create(seed) != nullptr); }

// The search must be able to find something: a copy as deep as the library's, below what the end of a thread overwrites.
void CopyAndForget(const SignatureMaker&, const uint8_t* key) {
  uint8_t deep[4096];
  std::memcpy(deep, key, amop::kPrivateKeyBytes);
  CHECK(std::memcmp(deep, key, amop::kPrivateKeyBytes) == 0);
  __asm__ __volatile__("" : : "r"(deep) : "memory");
}

}  // namespace

int main() {
  std::vector<uint8_t> key(amop::kPrivateKeyBytes);
  for (size_t i = 0; i < key.size(); i++) key[i] = static_cast<uint8_t>(0x11 + 7 * i);
  const auto maker = SignatureMaker::Create(std::vector<uint8_t>(amop::kSeedBytes, 9).data());
  if (CHECK(maker != nullptr)) {
    CHECK(!LeavesTrace({Sign, maker.get(), key.data()}));
    CHECK(!LeavesTrace({PublicFromPrivate, maker.get(), key.data()}));
    CHECK(!LeavesTrace({Create, maker.get(), key.data()}));
    CHECK(LeavesTrace({CopyAndForget, maker.get(), key.data()}));
  }
  return amop_test::FinishTests("wiped secrets");
}
