// JavaScript class Secp256k1(seed) around amop::SignatureChecker and amop::SignatureMaker, and the function keccak256.
// Arguments are validated in src/addon; called wrongly all the same, everything answers with a status and touches no memory.
// Private keys are read where JavaScript holds them and leave no copy behind.
#ifndef AMOP_NATIVE_BINDING_SECP256K1_WRAP_H_
#define AMOP_NATIVE_BINDING_SECP256K1_WRAP_H_

#include <napi.h>

#include <memory>

#include "../core/secp256k1.h"
#include "signature_batch.h"

namespace amop {

class Secp256k1Wrap : public Napi::ObjectWrap<Secp256k1Wrap> {
 public:
  static Napi::Function Define(Napi::Env env);
  // seed: 32 unpredictable bytes. With other arguments, or without memory, every method answers -1.
  explicit Secp256k1Wrap(const Napi::CallbackInfo& info);
  ~Secp256k1Wrap() override;

 private:
  // verifyBatch(rows, done), recoverBatch(rows, done): a BatchStatus; `done` is called later with the results.
  Napi::Value VerifyBatch(const Napi::CallbackInfo& info);
  Napi::Value RecoverBatch(const Napi::CallbackInfo& info);
  // sign(digest, privateKey, signature): 0; -1 called wrongly; 1 no private key.
  Napi::Value Sign(const Napi::CallbackInfo& info);
  // publicFromPrivate(privateKey, publicKey): the same.
  Napi::Value PublicFromPrivate(const Napi::CallbackInfo& info);

  Napi::Value Start(const Napi::CallbackInfo& info, BatchKind kind);

  CheckerState* state_ = nullptr;
  std::unique_ptr<const SignatureMaker> maker_;
};

// keccak256(data, digest): 0; -1 called wrongly.
Napi::Value Keccak256Call(const Napi::CallbackInfo& info);

}  // namespace amop

#endif  // AMOP_NATIVE_BINDING_SECP256K1_WRAP_H_
