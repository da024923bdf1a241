#include "scanner_wrap.h"

#include <cstring>

#include "views.h"

namespace amop {

namespace {

constexpr int32_t kCalledWrongly = -1;

int64_t ReadInteger(napi_env env, napi_value value) {
  int64_t number;
  return napi_get_value_int64(env, value, &number) == napi_ok ? number : -1;
}

HashKey ReadKey(napi_env env, napi_value value) {
  HashKey key{0, 0};
  const uint8_t* bytes = nullptr;
  size_t length = 0;
  if (ReadView(env, value, napi_uint8_array, &bytes, &length) && length == sizeof key) {
    std::memcpy(&key, bytes, sizeof key);
  }
  return key;
}

}  // namespace

Napi::Function FrameScannerWrap::Define(Napi::Env env) {
  return DefineClass(env, "FrameScanner",
                     {
                         InstanceMethod<&FrameScannerWrap::Scan>("scan"),
                         InstanceMethod<&FrameScannerWrap::Intern>("intern"),
                         InstanceMethod<&FrameScannerWrap::Release>("release"),
                         InstanceMethod<&FrameScannerWrap::Lookup>("lookup"),
                         InstanceAccessor<&FrameScannerWrap::Size>("size"),
                     });
}

FrameScannerWrap::FrameScannerWrap(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<FrameScannerWrap>(info),
      scanner_(ReadInteger(info.Env(), info[0]), ReadKey(info.Env(), info[1])) {}

Napi::Value FrameScannerWrap::Scan(const Napi::CallbackInfo& info) {
  const uint8_t* chunk = nullptr;
  int32_t* rows = nullptr;
  size_t chunk_bytes = 0;
  size_t rows_ints = 0;
  const int64_t start = ReadInteger(info.Env(), info[1]);
  if (start >= 0 && ReadView(info.Env(), info[0], napi_uint8_array, &chunk, &chunk_bytes) &&
      ReadView(info.Env(), info[2], napi_int32_array, &rows, &rows_ints) &&
      scanner_.Scan(chunk, chunk_bytes, static_cast<size_t>(start), rows, rows_ints)) {
    return Napi::Value();
  }
  return Napi::Number::New(info.Env(), kCalledWrongly);
}

Napi::Value FrameScannerWrap::Intern(const Napi::CallbackInfo& info) {
  const uint8_t* topic = nullptr;
  size_t bytes = 0;
  const int64_t id = ReadInteger(info.Env(), info[1]);
  InternStatus status = InternStatus::kInvalid;
  if (id <= INT32_MAX && ReadView(info.Env(), info[0], napi_uint8_array, &topic, &bytes)) {
    status = scanner_.topics().Intern(topic, bytes, id < 0 ? -1 : static_cast<int32_t>(id));
  }
  return Napi::Number::New(info.Env(), static_cast<int32_t>(status));
}

Napi::Value FrameScannerWrap::Release(const Napi::CallbackInfo& info) {
  const uint8_t* topic = nullptr;
  size_t bytes = 0;
  const bool released =
      ReadView(info.Env(), info[0], napi_uint8_array, &topic, &bytes) && scanner_.topics().Release(topic, bytes);
  return Napi::Boolean::New(info.Env(), released);
}

Napi::Value FrameScannerWrap::Lookup(const Napi::CallbackInfo& info) {
  const uint8_t* topic = nullptr;
  size_t bytes = 0;
  const int32_t id = ReadView(info.Env(), info[0], napi_uint8_array, &topic, &bytes) ? scanner_.topics().Lookup(topic, bytes)
                                                                                     : TopicInterner::kNone;
  return Napi::Number::New(info.Env(), id);
}

Napi::Value FrameScannerWrap::Size(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(scanner_.topics().size()));
}

}  // namespace amop
