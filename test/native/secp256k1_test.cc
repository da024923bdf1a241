// Unit tests of native/core/secp256k1 and keccak: the vectors and edges once more under the sanitizers, and what JavaScript
// cannot reach. The suite over both implementations is test/unit/addon/secp256k1.test.ts.
#include "../../native/core/secp256k1.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "../../native/core/keccak.h"
#include "check.h"

using amop::SignatureChecker;
using amop::SignatureMaker;
using amop::SignatureRule;

namespace {

using Bytes = std::vector<uint8_t>;

constexpr SignatureRule kRules[] = {SignatureRule::kStrict, SignatureRule::kJava, SignatureRule::kGo, SignatureRule::kCompact};
const std::string kOrder = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

Bytes Hex(const std::string& text) {
  Bytes bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes.push_back(static_cast<uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const Bytes kKeyA = Hex("c0c8b4d96aa4aefaeeafa157789d528b6010f65059dee796d8757e1171bbcd2c");
const Bytes kPublicA = Hex(
    "d7b9e00f56d3f79305359fa2d7db166021e73086bdcd2e7a28d6ed27345e1f2d"
    "decf85db7438e8457fd474ef9c4ceb89abb7d5fa60a22f2902ec26dca52ad5e5");
const Bytes kDigest = Hex("95e85fba32450bd661846700181465969ab8d3908f3c5731bce7aeb2fb845597");
const Bytes kR = Hex("2f7c3f9ce5ecb10046fecb50df6e97846169f9bd5ed257f3c9fd9765ca0e430d");
const Bytes kS = Hex("75d5090b8948122938748f1b995021818a1e824e2304963ab0c72d8228c77abb");
const Bytes kHighS = Hex("8a2af6f476b7edd6c78b70e466afde7d30905a988c440a010f0b310aa76ec686");
const Bytes kV0 = {0};
const Bytes kV1 = {1};
const Bytes kSeed(amop::kSeedBytes, 0x5e);

// A row in a heap block of exactly its size, so that AddressSanitizer sees one byte read too many.
Bytes Row(SignatureRule rule, const Bytes& signature, const Bytes& digest) {
  Bytes padded = signature;
  padded.resize(amop::kSignatureBytes);
  const uint8_t length = signature.size() > 255 ? 255 : static_cast<uint8_t>(signature.size());
  Bytes row = Bytes{static_cast<uint8_t>(rule), length} + padded + digest;
  row.shrink_to_fit();
  return row;
}

bool Verify(const SignatureChecker& checker, SignatureRule rule, const Bytes& signature, const Bytes& digest = kDigest,
            const Bytes& public_key = kPublicA) {
  Bytes row = Row(rule, signature, digest) + public_key;
  row.shrink_to_fit();
  Bytes result(amop::kVerifyResultBytes, 0x5a);
  checker.VerifyBatch(row.data(), 1, result.data());
  CHECK(result[0] <= 1);
  return result[0] == 1;
}

// The public key, or nothing.
Bytes Recover(const SignatureChecker& checker, SignatureRule rule, const Bytes& signature, const Bytes& digest = kDigest) {
  const Bytes row = Row(rule, signature, digest);
  Bytes result(amop::kRecoverResultBytes, 0x5a);
  checker.RecoverBatch(row.data(), 1, result.data());
  if (result[0] == 1) return Bytes(result.begin() + 1, result.end());
  CHECK(result == Bytes(amop::kRecoverResultBytes, 0));
  return {};
}

Bytes Sign(const SignatureMaker& maker, const Bytes& digest, const Bytes& key) {
  Bytes signature(amop::kSignatureBytes, 0x5a);
  if (maker.Sign(digest.data(), key.data(), signature.data())) return signature;
  CHECK(signature == Bytes(amop::kSignatureBytes, 0));
  return {};
}

Bytes PublicFromPrivate(const SignatureMaker& maker, const Bytes& key) {
  Bytes public_key(amop::kPublicKeyBytes, 0x5a);
  if (maker.PublicFromPrivate(key.data(), public_key.data())) return public_key;
  CHECK(public_key == Bytes(amop::kPublicKeyBytes, 0));
  return {};
}

Bytes Keccak(const Bytes& data) {
  Bytes digest(amop::kKeccak256Bytes, 0x5a);
  amop::Keccak256(data.data(), data.size(), digest.data());
  return digest;
}

Bytes Ascii(const std::string& text) { return Bytes(text.begin(), text.end()); }

void KeccakGivesThePublishedValues() {
  CHECK(Keccak({}) == Hex("c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"));
  CHECK(Keccak(Ascii("5e14c53197adbcb719d915fb93342c25")) == kDigest);
  CHECK(Keccak(Hex("02b1946f2e1f4cf3a0c9d1e2f3a4b5c6d7")) ==
        Hex("da17af752425767f26b1b0dfba648a45d12b15ae82219dc43d6e6cfd1bf4eb13"));
  amop::Keccak256(nullptr, 0, Bytes(32).data());
  // In place, one byte less and more than a block, and a whole one.
  for (const size_t bytes : {32u, 135u, 136u, 137u, 272u}) {
    Bytes data(bytes, 0x61);
    const Bytes digest = Keccak(data);
    amop::Keccak256(data.data(), data.size(), data.data());
    CHECK(Bytes(data.begin(), data.begin() + 32) == digest);
  }
}

void VectorsOfTheSdks(const SignatureChecker& checker, const SignatureMaker& maker) {
  CHECK(PublicFromPrivate(maker, kKeyA) == kPublicA);
  CHECK(Sign(maker, kDigest, kKeyA) == kR + kS + kV0);
  for (const SignatureRule rule : kRules) {
    CHECK(Verify(checker, rule, rule == SignatureRule::kCompact ? kR + kS : kR + kS + kV0));
    // The high-S twin passes only where the key is recovered and s may be high.
    CHECK(Verify(checker, rule, rule == SignatureRule::kCompact ? kR + kHighS : kR + kHighS + kV1) ==
          (rule == SignatureRule::kJava));
  }
  CHECK(Recover(checker, SignatureRule::kStrict, kR + kS + kV0) == kPublicA);
  CHECK(Recover(checker, SignatureRule::kJava, kR + kHighS + kV1) == kPublicA);
  CHECK(Recover(checker, SignatureRule::kStrict, kR + kHighS + kV1).empty());
  // Flipped v.
  CHECK(!Verify(checker, SignatureRule::kStrict, kR + kS + kV1) && !Verify(checker, SignatureRule::kJava, kR + kS + kV1));
  CHECK(Verify(checker, SignatureRule::kGo, kR + kS + kV1));
  const Bytes other = Recover(checker, SignatureRule::kStrict, kR + kS + kV1);
  CHECK(!other.empty() && other != kPublicA);
}

void RefusesWhatIsNoSignature(const SignatureChecker& checker) {
  const Bytes zero(32, 0);
  const Bytes ones(32, 0xff);
  const Bytes order = Hex(kOrder);
  const Bytes field = Hex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f");
  for (const Bytes& bad : {zero, ones, order, field}) {
    for (const Bytes& compact : {bad + kS, kR + bad, bad + bad}) {
      for (uint8_t v = 0; v < 4; v++) {
        for (const SignatureRule rule : kRules) {
          CHECK(!Verify(checker, rule, rule == SignatureRule::kCompact ? compact : compact + Bytes{v}));
        }
        CHECK(Recover(checker, SignatureRule::kJava, compact + Bytes{v}).empty());
      }
    }
  }
  const Bytes whole = kR + kS + kV0;
  for (const size_t bytes : {0u, 1u, 63u, 64u, 66u, 254u, 255u, 256u, 257u, 321u}) {
    Bytes signature = whole;
    signature.resize(bytes);
    for (const SignatureRule rule : kRules) {
      CHECK(Verify(checker, rule, signature) == (rule == SignatureRule::kCompact && bytes == 64));
    }
    CHECK(Recover(checker, SignatureRule::kStrict, signature).empty());
  }
  for (int v = 2; v < 256; v++) {
    CHECK(!Verify(checker, SignatureRule::kJava, kR + kS + Bytes{static_cast<uint8_t>(v)}));
    CHECK(Verify(checker, SignatureRule::kGo, kR + kS + Bytes{static_cast<uint8_t>(v)}));
  }
  for (int rule = 4; rule < 256; rule++) {
    CHECK(!Verify(checker, static_cast<SignatureRule>(rule), whole) &&
          !Verify(checker, static_cast<SignatureRule>(rule), kR + kS));
    CHECK(Recover(checker, static_cast<SignatureRule>(rule), whole).empty());
  }
  CHECK(Recover(checker, SignatureRule::kGo, whole).empty() && Recover(checker, SignatureRule::kCompact, kR + kS).empty());
}

void RefusesWhatIsNoPublicKey(const SignatureChecker& checker) {
  Bytes off_curve = kPublicA;
  off_curve[63] ^= 1;
  for (const Bytes& key : {off_curve, Bytes(64, 0), Bytes(64, 0xff), Bytes(kPublicA.rbegin(), kPublicA.rend())}) {
    for (const SignatureRule rule : kRules) {
      CHECK(!Verify(checker, rule, rule == SignatureRule::kCompact ? kR + kS : kR + kS + kV0, kDigest, key));
    }
  }
}

void RefusesWhatIsNoPrivateKey(const SignatureMaker& maker) {
  const Bytes order = Hex(kOrder);
  Bytes above = order;
  above[31]++;
  Bytes largest = order;
  largest[31]--;
  for (const Bytes& bad : {Bytes(32, 0), order, above, Bytes(32, 0xff)}) {
    CHECK(Sign(maker, kDigest, bad).empty() && PublicFromPrivate(maker, bad).empty());
  }
  CHECK(!Sign(maker, kDigest, largest).empty() && !PublicFromPrivate(maker, largest).empty());
}

void ReducesDigests(const SignatureMaker& maker) {
  CHECK(Sign(maker, Hex(kOrder), kKeyA) == Sign(maker, Bytes(32, 0), kKeyA));
  // 2^256 - 1 - order.
  CHECK(Sign(maker, Bytes(32, 0xff), kKeyA) ==
        Sign(maker, Hex("000000000000000000000000000000014551231950b75fc4402da1732fc9bebe"), kKeyA));
}

// Blinding must not show: makers with other seeds, and the same maker again, give the same bytes.
void SignsTheSameWhateverTheSeed(const SignatureMaker& maker) {
  const auto other = SignatureMaker::Create(Bytes(amop::kSeedBytes, 0).data());
  CHECK(other != nullptr && Sign(*other, kDigest, kKeyA) == kR + kS + kV0);
  CHECK(Sign(maker, kDigest, kKeyA) == kR + kS + kV0);
}

// The input and the output may be the same memory.
void TakesOverlappingMemory(const SignatureMaker& maker) {
  Bytes memory = kKeyA;
  memory.resize(64);
  CHECK(maker.PublicFromPrivate(memory.data(), memory.data()) && memory == kPublicA);
  memory = kDigest + kKeyA + kV0;
  CHECK(maker.Sign(memory.data(), memory.data() + 32, memory.data()) && memory == kR + kS + kV0);
}

// order - s, the s of the other valid signature.
void NegateS(uint8_t* s) {
  const Bytes order = Hex(kOrder);
  int borrow = 0;
  for (size_t i = 32; i-- > 0;) {
    const int difference = order[i] - s[i] - borrow;
    borrow = difference < 0 ? 1 : 0;
    s[i] = static_cast<uint8_t>(difference & 0xff);
  }
}

// Random rows, most of them near a right one. Verification with v, which is ours, must agree with the library's recovery by v
// on each; the sanitizers must keep quiet; and what is right must be found right.
void VerifiesAsRecoveryDoes(const SignatureChecker& checker, const SignatureMaker& maker, int cases, uint64_t seed) {
  uint64_t state = seed;
  const auto random = [&state] {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<uint8_t>(state >> 32);
  };
  const auto random_bytes = [&random](size_t count) {
    Bytes bytes(count);
    for (uint8_t& byte : bytes) byte = random();
    return bytes;
  };
  int valid = 0;
  int wrong = 0;
  for (int i = 0; i < cases; i++) {
    const Bytes digest = random_bytes(32);
    const Bytes key = random_bytes(32);
    const Bytes signature = Sign(maker, digest, key);
    const Bytes public_key = PublicFromPrivate(maker, key);
    const SignatureRule rule = random() % 2 == 0 ? SignatureRule::kStrict : SignatureRule::kJava;
    Bytes row = Row(rule, signature, digest) + public_key;
    const int change = random() % 5;
    if (change == 1) row[2 + static_cast<size_t>(random()) % (row.size() - 2)] ^= static_cast<uint8_t>(1 << random() % 8);
    if (change == 2) row[66] = random() % 5;
    if (change == 3) {
      NegateS(row.data() + 34);
      row[66] ^= static_cast<uint8_t>(random() % 2);
    }
    if (change == 4) row = Row(rule, random_bytes(65), digest) + public_key;
    uint8_t result = 2;
    checker.VerifyBatch(row.data(), 1, &result);
    const Bytes own_key(row.begin() + 99, row.end());
    row.resize(amop::kRecoverRowBytes);
    row.shrink_to_fit();
    std::array<uint8_t, amop::kRecoverResultBytes> recovered;
    checker.RecoverBatch(row.data(), 1, recovered.data());
    const bool expected = recovered[0] == 1 && std::memcmp(recovered.data() + 1, own_key.data(), own_key.size()) == 0;
    wrong += result != (expected ? 1 : 0) || (change == 0 && !expected);
    valid += result;
  }
  std::printf("%d random cases, seed %llu, %d of them valid\n", cases, static_cast<unsigned long long>(seed), valid);
  CHECK(wrong == 0);
  CHECK(valid > cases / 5 && valid < cases / 2);
}

// One checker serves any number of threads; each has its own results.
void OneCheckerServesManyThreads(const SignatureChecker& checker) {
  const Bytes good = Row(SignatureRule::kStrict, kR + kS + kV0, kDigest) + kPublicA;
  const Bytes bad = Row(SignatureRule::kGo, kR + kHighS + kV1, kDigest) + kPublicA;
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (size_t t = 0; t < wrong.size(); t++) {
    threads.emplace_back([t, &wrong, &checker, &good, &bad] {
      const Bytes rows = t % 2 == 0 ? good + bad + good : bad + good + bad;
      const Bytes expected = t % 2 == 0 ? Bytes{1, 0, 1} : Bytes{0, 1, 0};
      for (int i = 0; i < 50; i++) {
        Bytes results(3, 0x5a);
        checker.VerifyBatch(rows.data(), 3, results.data());
        wrong[t] += results != expected;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : wrong) CHECK(count == 0);
}

}  // namespace

// secp256k1_test [random cases] [seed]
int main(int argc, char** argv) {
  const int cases = argc > 1 ? std::atoi(argv[1]) : 1000;
  const uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 88172645463325252ULL;
  const auto checker = SignatureChecker::Create();
  const auto maker = SignatureMaker::Create(kSeed.data());
  if (CHECK(checker != nullptr && maker != nullptr)) {
    KeccakGivesThePublishedValues();
    VectorsOfTheSdks(*checker, *maker);
    RefusesWhatIsNoSignature(*checker);
    RefusesWhatIsNoPublicKey(*checker);
    RefusesWhatIsNoPrivateKey(*maker);
    ReducesDigests(*maker);
    SignsTheSameWhateverTheSeed(*maker);
    TakesOverlappingMemory(*maker);
    VerifiesAsRecoveryDoes(*checker, *maker, cases, seed);
    OneCheckerServesManyThreads(*checker);
  }
  return amop_test::FinishTests("native secp256k1");
}
