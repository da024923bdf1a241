// One mutual-TLS 1.2 connection that carries channel frames.
//
// OpenSSL works on memory: received bytes are lent to it from the caller's buffer, and what it produces is collected
// in `out_` until flush(). So each queued frame is one SSL_write and thereby one TLS record of its own (a larger frame
// is as many full records as it needs), as every real SDK writes it, while the records of one event-loop turn leave in
// one send(): that saves the generator system calls without changing what the relay decrypts.
#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "frame.h"
#include "options.h"

namespace bench {

// No connection, or a handshake that failed.
struct ConnectError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// An established connection ended or carried something that is not the protocol.
struct ConnectionLost : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct SslContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, SslContextDeleter>;

// Client context: TLS 1.2, groups P-256 and secp256k1, own chain and key, server chain verified against the CA file.
SslContext createSslContext(const Options& options);

class TlsConnection;

class FrameSink {
 public:
  virtual ~FrameSink() = default;
  virtual void onFrame(TlsConnection& connection, const Frame& frame) = 0;
};

struct RecordCounts {
  uint64_t records = 0;
  uint64_t frames = 0;
  // Records that hold bytes of two frames.
  uint64_t joined = 0;
  // Frames that fit one record and came in several.
  uint64_t split = 0;
};

class TlsConnection {
 public:
  enum class Role { kPublisher, kSubscriber };

  // Connects and finishes the TLS handshake, blocking for at most a few seconds. Throws ConnectError.
  TlsConnection(SSL_CTX* context, const Options& options, Role role, size_t index);
  ~TlsConnection();
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  int fd() const { return fd_; }
  Role role() const { return role_; }
  size_t index() const { return index_; }
  std::string name() const;
  const RecordCounts& counts() const { return counts_; }
  // "ECDHE-ECDSA-AES256-GCM-SHA384, P-256"
  std::string tlsDescription() const;

  // Encrypts one frame as its own record(s) and queues it.
  void queueFrame(const uint8_t* data, size_t bytes);
  // Sends what is queued; true when nothing is left. Throws ConnectionLost.
  bool flush();
  bool hasOutput() const { return out_position_ < out_.size(); }
  // Receives once and hands every completed frame to the sink. Throws ConnectionLost.
  void receive(std::vector<uint8_t>& scratch, FrameSink& sink);

  // Bookkeeping of the event loop: already in its list of connections to flush, and registered for EPOLLOUT.
  bool dirty = false;
  bool waits_for_writable = false;
  // Progress of the connection's opening exchange.
  bool handshake_answered = false;
  bool heartbeat_answered = false;

 private:
  static BIO_METHOD* bioMethod();
  static int bioRead(BIO* bio, char* to, int bytes);
  static int bioWrite(BIO* bio, const char* from, int bytes);
  static long bioControl(BIO* bio, int command, long, void*);

  void connectTcp(const Options& options);
  void handshake();
  void onRecord(const uint8_t* record, size_t bytes, FrameSink& sink);
  [[noreturn]] void lost(const std::string& what) const;

  Role role_;
  size_t index_;
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  const uint8_t* in_ = nullptr;
  size_t in_bytes_ = 0;
  std::vector<uint8_t> out_;
  size_t out_position_ = 0;
  // Bytes of a frame that is not complete yet.
  std::vector<uint8_t> partial_;
  size_t partial_records_ = 0;
  std::vector<uint8_t> record_;
  RecordCounts counts_;
};

}  // namespace bench
