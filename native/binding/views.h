// Reads typed arrays with plain Node-API instead of Napi::TypedArray: it reports a wrong type as a status instead of a fatal
// error, and one call yields pointer and length together.
#ifndef AMOP_NATIVE_BINDING_VIEWS_H_
#define AMOP_NATIVE_BINDING_VIEWS_H_

#include <node_api.h>

#include <cstddef>
#include <cstdint>

namespace amop {

// False, with nothing set that may be used, unless `value` is a typed array of this type. A detached buffer has length 0.
template <typename T>
bool ReadView(napi_env env, napi_value value, napi_typedarray_type wanted, T** data, size_t* length) {
  napi_typedarray_type type;
  void* bytes = nullptr;
  if (napi_get_typedarray_info(env, value, &type, length, &bytes, nullptr, nullptr) != napi_ok) return false;
  if (type != wanted) return false;
  *data = static_cast<T*>(bytes);
  return bytes != nullptr || *length == 0;
}

// The bytes of a Uint8Array of exactly `wanted` bytes, or null.
inline uint8_t* ReadBytes(napi_env env, napi_value value, size_t wanted) {
  uint8_t* data = nullptr;
  size_t length = 0;
  return ReadView(env, value, napi_uint8_array, &data, &length) && length == wanted ? data : nullptr;
}

}  // namespace amop

#endif  // AMOP_NATIVE_BINDING_VIEWS_H_
