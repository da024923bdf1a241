#include "signature_batch.h"

#include <cstring>
#include <new>

namespace amop {

CheckerState* CheckerState::Create() {
  auto* state = new (std::nothrow) CheckerState;
  if (state == nullptr) return nullptr;
  state->checker = SignatureChecker::Create();
  if (state->checker != nullptr) return state;
  delete state;
  return nullptr;
}

BatchStatus SignatureBatch::Start(napi_env env, CheckerState* state, BatchKind kind, const uint8_t* rows, size_t bytes,
                                  napi_value done) {
  const size_t row_bytes = kind == BatchKind::kVerify ? kVerifyRowBytes : kRecoverRowBytes;
  if (bytes == 0 || bytes % row_bytes != 0 || bytes / row_bytes > kRowsMax) return BatchStatus::kCalledWrongly;
  if (state->in_flight >= kInFlightMax) return BatchStatus::kBusy;

  std::unique_ptr<SignatureBatch> batch(new (std::nothrow) SignatureBatch);
  if (batch == nullptr) return BatchStatus::kNoMemory;
  batch->state_ = state;
  batch->kind_ = kind;
  batch->count_ = bytes / row_bytes;
  std::memcpy(batch->rows_, rows, bytes);

  napi_value name;
  if (napi_create_string_utf8(env, "amop:signatures", NAPI_AUTO_LENGTH, &name) != napi_ok) return BatchStatus::kNoMemory;
  if (napi_create_async_work(env, nullptr, name, Execute, Complete, batch.get(), &batch->work_) != napi_ok) {
    return BatchStatus::kNoMemory;
  }
  if (napi_create_reference(env, done, 1, &batch->done_) != napi_ok) {
    napi_delete_async_work(env, batch->work_);
    return BatchStatus::kCalledWrongly;
  }
  if (napi_queue_async_work(env, batch->work_) != napi_ok) {
    napi_delete_reference(env, batch->done_);
    napi_delete_async_work(env, batch->work_);
    return BatchStatus::kBusy;
  }
  state->references++;
  state->in_flight++;
  batch.release();  // Complete deletes it.
  return BatchStatus::kStarted;
}

void SignatureBatch::Execute(napi_env, void* data) {
  auto* batch = static_cast<SignatureBatch*>(data);
  const SignatureChecker& checker = *batch->state_->checker;
  if (batch->kind_ == BatchKind::kVerify) {
    checker.VerifyBatch(batch->rows_, batch->count_, batch->results_);
  } else {
    checker.RecoverBatch(batch->rows_, batch->count_, batch->results_);
  }
}

void SignatureBatch::Complete(napi_env env, napi_status status, void* data) {
  const std::unique_ptr<SignatureBatch> batch(static_cast<SignatureBatch*>(data));
  batch->state_->in_flight--;
  // Cancelled means that Execute did not run, which only the end of the environment does.
  if (status == napi_ok) batch->Report(env);
  napi_delete_reference(env, batch->done_);
  napi_delete_async_work(env, batch->work_);
  batch->state_->Release();
}

void SignatureBatch::Report(napi_env env) const {
  const size_t bytes = count_ * (kind_ == BatchKind::kVerify ? kVerifyResultBytes : kRecoverResultBytes);
  napi_value done;
  napi_value receiver;
  napi_value buffer;
  napi_value results;
  void* memory = nullptr;
  if (napi_get_reference_value(env, done_, &done) != napi_ok || done == nullptr) return;
  if (napi_get_undefined(env, &receiver) != napi_ok) return;
  // Without memory for the results the callback gets undefined, so that nobody waits for ever.
  if (napi_create_arraybuffer(env, bytes, &memory, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_uint8_array, bytes, buffer, 0, &results) != napi_ok) {
    results = receiver;
  } else {
    std::memcpy(memory, results_, bytes);
  }
  napi_call_function(env, receiver, done, 1, &results, nullptr);
}

}  // namespace amop
