#include "secp256k1_wrap.h"

#include "../core/keccak.h"
#include "views.h"

namespace amop {

namespace {

constexpr int32_t kOk = 0;
constexpr int32_t kCalledWrongly = -1;
constexpr int32_t kNoPrivateKey = 1;

Napi::Value Status(const Napi::CallbackInfo& info, int32_t status) { return Napi::Number::New(info.Env(), status); }

bool IsFunction(napi_env env, napi_value value) {
  napi_valuetype type;
  return napi_typeof(env, value, &type) == napi_ok && type == napi_function;
}

}  // namespace

Napi::Function Secp256k1Wrap::Define(Napi::Env env) {
  return DefineClass(env, "Secp256k1",
                     {
                         InstanceMethod<&Secp256k1Wrap::VerifyBatch>("verifyBatch"),
                         InstanceMethod<&Secp256k1Wrap::RecoverBatch>("recoverBatch"),
                         InstanceMethod<&Secp256k1Wrap::Sign>("sign"),
                         InstanceMethod<&Secp256k1Wrap::PublicFromPrivate>("publicFromPrivate"),
                     });
}

Secp256k1Wrap::Secp256k1Wrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Secp256k1Wrap>(info) {
  const uint8_t* seed = ReadBytes(info.Env(), info[0], kSeedBytes);
  if (seed == nullptr) return;
  maker_ = SignatureMaker::Create(seed);
  state_ = CheckerState::Create();
}

Secp256k1Wrap::~Secp256k1Wrap() {
  if (state_ != nullptr) state_->Release();
}

Napi::Value Secp256k1Wrap::Start(const Napi::CallbackInfo& info, BatchKind kind) {
  const uint8_t* rows = nullptr;
  size_t bytes = 0;
  auto status = BatchStatus::kCalledWrongly;
  if (state_ != nullptr && ReadView(info.Env(), info[0], napi_uint8_array, &rows, &bytes) && IsFunction(info.Env(), info[1])) {
    status = SignatureBatch::Start(info.Env(), state_, kind, rows, bytes, info[1]);
  }
  return Status(info, static_cast<int32_t>(status));
}

Napi::Value Secp256k1Wrap::VerifyBatch(const Napi::CallbackInfo& info) { return Start(info, BatchKind::kVerify); }

Napi::Value Secp256k1Wrap::RecoverBatch(const Napi::CallbackInfo& info) { return Start(info, BatchKind::kRecover); }

Napi::Value Secp256k1Wrap::Sign(const Napi::CallbackInfo& info) {
  const uint8_t* digest = ReadBytes(info.Env(), info[0], kDigestBytes);
  const uint8_t* private_key = ReadBytes(info.Env(), info[1], kPrivateKeyBytes);
  uint8_t* signature = ReadBytes(info.Env(), info[2], kSignatureBytes);
  if (maker_ == nullptr || digest == nullptr || private_key == nullptr || signature == nullptr) {
    return Status(info, kCalledWrongly);
  }
  return Status(info, maker_->Sign(digest, private_key, signature) ? kOk : kNoPrivateKey);
}

Napi::Value Secp256k1Wrap::PublicFromPrivate(const Napi::CallbackInfo& info) {
  const uint8_t* private_key = ReadBytes(info.Env(), info[0], kPrivateKeyBytes);
  uint8_t* public_key = ReadBytes(info.Env(), info[1], kPublicKeyBytes);
  if (maker_ == nullptr || private_key == nullptr || public_key == nullptr) return Status(info, kCalledWrongly);
  return Status(info, maker_->PublicFromPrivate(private_key, public_key) ? kOk : kNoPrivateKey);
}

Napi::Value Keccak256Call(const Napi::CallbackInfo& info) {
  const uint8_t* data = nullptr;
  size_t bytes = 0;
  uint8_t* digest = ReadBytes(info.Env(), info[1], kKeccak256Bytes);
  if (digest == nullptr || !ReadView(info.Env(), info[0], napi_uint8_array, &data, &bytes)) {
    return Status(info, kCalledWrongly);
  }
  Keccak256(data, bytes, digest);
  return Status(info, kOk);
}

}  // namespace amop
