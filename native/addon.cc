// Export table of the addon. All state hangs on the environment (one Addon per main thread or worker); there are no globals,
// so it can be loaded by several worker threads and torn down with any of them.
#include <napi.h>

#include "binding/scanner_wrap.h"
#include "binding/secp256k1_wrap.h"

namespace amop {

// Raised whenever the exports or the meaning of a row change; src/addon/loader.ts refuses any other number, so that a binary
// left over from an older build is never called with newer assumptions.
constexpr int kContract = 2;

class Addon : public Napi::Addon<Addon> {
 public:
  Addon(Napi::Env env, Napi::Object exports) {
    DefineAddon(exports, {
                             InstanceValue("contract", Napi::Number::New(env, kContract), napi_enumerable),
                             InstanceValue("FrameScanner", FrameScannerWrap::Define(env), napi_enumerable),
                             InstanceValue("Secp256k1", Secp256k1Wrap::Define(env), napi_enumerable),
                             InstanceValue("keccak256", Napi::Function::New<Keccak256Call>(env, "keccak256"), napi_enumerable),
                         });
  }
};

}  // namespace amop

using amop::Addon;
NODE_API_ADDON(Addon)
