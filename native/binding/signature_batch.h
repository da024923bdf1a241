// One batch of signature checks on its way through libuv's thread pool: rows are copied in on the event loop, worked off in a
// pool thread that touches nothing of JavaScript, and the results are handed to a callback on the event loop.
//
// Ends of life. A batch holds a reference to what it needs (CheckerState), so that the JavaScript object may be collected and
// its environment torn down first. Node waits for pool work before it takes an environment apart and calls Complete all the
// same; JavaScript cannot run by then, every Node-API call answers with a status, and no status is taken for granted.
// Plain Node-API instead of Napi::AsyncWorker: that turns such a status into an exception, and there is nobody to catch it.
#ifndef AMOP_NATIVE_BINDING_SIGNATURE_BATCH_H_
#define AMOP_NATIVE_BINDING_SIGNATURE_BATCH_H_

#include <node_api.h>

#include <memory>

#include "../core/secp256k1.h"

namespace amop {

enum class BatchStatus : int32_t { kStarted = 0, kCalledWrongly = -1, kBusy = -2, kNoMemory = -3 };

enum class BatchKind { kVerify, kRecover };

// What the batches of one environment share. Counted by hand: only the event loop of that environment touches the counts.
struct CheckerState {
  std::unique_ptr<const SignatureChecker> checker;
  int references = 1;
  int in_flight = 0;

  static CheckerState* Create();
  void Release() {
    if (--references == 0) delete this;
  }
};

class SignatureBatch {
 public:
  // 64 rows take about 2 ms of a thread: longer ones would make a time-out coarse.
  static constexpr size_t kRowsMax = 64;
  // The queue in src/addon has a lower bound of its own; this one keeps memory bounded (16 KiB each) whoever calls.
  static constexpr int kInFlightMax = 16;

  // Copies `rows` and starts; `done` is called once with the results unless the environment ends before.
  static BatchStatus Start(napi_env env, CheckerState* state, BatchKind kind, const uint8_t* rows, size_t bytes,
                           napi_value done);

 private:
  static void Execute(napi_env env, void* data);
  static void Complete(napi_env env, napi_status status, void* data);
  void Report(napi_env env) const;

  CheckerState* state_ = nullptr;
  BatchKind kind_ = BatchKind::kVerify;
  size_t count_ = 0;
  napi_async_work work_ = nullptr;
  napi_ref done_ = nullptr;
  uint8_t rows_[kRowsMax * kVerifyRowBytes];
  uint8_t results_[kRowsMax * kRecoverResultBytes];
};

}  // namespace amop

#endif  // AMOP_NATIVE_BINDING_SIGNATURE_BATCH_H_
