// JavaScript class FrameScanner(frameBytesMax, seed) around amop::FrameScanner: Napi in, Napi out, nothing else.
// Arguments are validated in src/addon; called wrongly all the same, a method answers with a status and touches no memory.
// One object belongs to the environment that made it and is deleted by its garbage collector or teardown.
#ifndef AMOP_NATIVE_BINDING_SCANNER_WRAP_H_
#define AMOP_NATIVE_BINDING_SCANNER_WRAP_H_

#include <napi.h>

#include "../core/frame_scanner.h"

namespace amop {

class FrameScannerWrap : public Napi::ObjectWrap<FrameScannerWrap> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit FrameScannerWrap(const Napi::CallbackInfo& info);

 private:
  // scan(chunk, start, rows): undefined, or -1 when called wrongly. A call costs about 100 ns before the first frame, of
  // which napi_unwrap is 33 and each napi_get_typedarray_info 19 (Node 20); pointers are fetched anew each time because a
  // cached one would dangle once JavaScript transfers the buffer.
  Napi::Value Scan(const Napi::CallbackInfo& info);
  // intern(topic, id): an InternStatus.
  Napi::Value Intern(const Napi::CallbackInfo& info);
  Napi::Value Release(const Napi::CallbackInfo& info);
  Napi::Value Lookup(const Napi::CallbackInfo& info);
  Napi::Value Size(const Napi::CallbackInfo& info);

  FrameScanner scanner_;
};

}  // namespace amop

#endif  // AMOP_NATIVE_BINDING_SCANNER_WRAP_H_
