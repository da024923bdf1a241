#include "tls_connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bench {

namespace {

// A relay that does not read for this many bytes is stuck: the closed loop never queues as much.
constexpr size_t kOutputBytesMax = 256u << 20;
constexpr size_t kRecordBytesMax = 16384;
constexpr time_t kConnectSeconds = 10;

std::string errnoText() { return std::strerror(errno); }

// The first error of OpenSSL's queue, which is emptied.
std::string sslErrorText() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "unknown TLS error";
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "TLS error " + std::to_string(code) : reason;
}

void requireReadable(const char* option, const std::string& path) {
  if (::access(path.c_str(), R_OK) != 0) throw ConnectError(std::string(option) + " " + path + ": " + errnoText());
}

}  // namespace

SslContext createSslContext(const Options& options) {
  // OpenSSL reports a missing file only as a bare system error.
  requireReadable("--ca", options.ca);
  requireReadable("--cert", options.cert);
  requireReadable("--key", options.key);
  SslContext context(SSL_CTX_new(TLS_client_method()));
  if (!context) throw ConnectError("OpenSSL cannot make a context: " + sslErrorText());
  SSL_CTX* const raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_max_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  if (SSL_CTX_set1_groups_list(raw, "P-256:secp256k1") != 1) {
    throw ConnectError("this OpenSSL has no secp256k1: " + sslErrorText());
  }
  if (SSL_CTX_load_verify_locations(raw, options.ca.c_str(), nullptr) != 1) {
    throw ConnectError("--ca " + options.ca + ": " + sslErrorText());
  }
  if (SSL_CTX_use_certificate_chain_file(raw, options.cert.c_str()) != 1) {
    throw ConnectError("--cert " + options.cert + ": " + sslErrorText());
  }
  if (SSL_CTX_use_PrivateKey_file(raw, options.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    throw ConnectError("--key " + options.key + ": " + sslErrorText());
  }
  if (SSL_CTX_check_private_key(raw) != 1) {
    throw ConnectError("--key " + options.key + " does not belong to --cert " + options.cert);
  }
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  return context;
}

TlsConnection::TlsConnection(SSL_CTX* context, const Options& options, Role role, size_t index)
    : role_(role), index_(index), record_(kRecordBytesMax) {
  connectTcp(options);
  ssl_ = SSL_new(context);
  BIO* bio = ssl_ == nullptr ? nullptr : BIO_new(bioMethod());
  if (bio == nullptr) {
    SSL_free(ssl_);
    ::close(fd_);
    throw ConnectError("OpenSSL cannot make a connection: " + sslErrorText());
  }
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  try {
    handshake();
  } catch (...) {
    SSL_free(ssl_);
    ::close(fd_);
    throw;
  }
  fcntl(fd_, F_SETFL, fcntl(fd_, F_GETFL) | O_NONBLOCK);
}

TlsConnection::~TlsConnection() {
  SSL_free(ssl_);
  ::close(fd_);
}

std::string TlsConnection::name() const {
  return (role_ == Role::kPublisher ? "publisher " : "subscriber ") + std::to_string(index_);
}

std::string TlsConnection::tlsDescription() const {
  const char* group = SSL_group_to_name(ssl_, static_cast<int>(SSL_get_negotiated_group(ssl_)));
  return std::string(SSL_get_cipher_name(ssl_)) + ", " + (group == nullptr ? "unknown group" : group);
}

void TlsConnection::connectTcp(const Options& options) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  const uint16_t port = role_ == Role::kSubscriber ? options.subscriber_port : options.port;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, options.host.c_str(), &address.sin_addr) != 1) {
    throw ConnectError("--host " + options.host + ": expected an IPv4 address");
  }
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) throw ConnectError("socket: " + errnoText());
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // Bounds every blocking call of the handshake; the socket becomes non-blocking afterwards.
  const timeval limit{kConnectSeconds, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const std::string reason = errnoText();
    ::close(fd_);
    throw ConnectError("cannot connect to " + options.host + ":" + std::to_string(port) + ": " + reason);
  }
}

void TlsConnection::handshake() {
  SSL_set_connect_state(ssl_);
  std::vector<uint8_t> buffer(kRecordBytesMax);
  const int64_t bytes_max = 1 << 20;  // a certificate chain is a few KiB; anything longer is not a TLS handshake
  int64_t bytes_total = 0;
  for (;;) {
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl_);
    const int reason = done == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_, done);
    std::string failure;
    if (reason != SSL_ERROR_NONE && reason != SSL_ERROR_WANT_READ) {
      failure = sslErrorText();
      const long verdict = SSL_get_verify_result(ssl_);
      if (verdict != X509_V_OK) {
        failure += std::string(" (the relay's certificate: ") + X509_verify_cert_error_string(verdict) +
                   "; --ca must be the chain CA of the relay's certificate kind)";
      }
    }
    // Also carries our own alert to the relay, so that its log tells why.
    while (hasOutput()) {
      const ssize_t sent = ::send(fd_, out_.data() + out_position_, out_.size() - out_position_, MSG_NOSIGNAL);
      if (sent <= 0) throw ConnectError(name() + ": TLS handshake: " + (failure.empty() ? errnoText() : failure));
      out_position_ += static_cast<size_t>(sent);
    }
    out_.clear();
    out_position_ = 0;
    if (!failure.empty()) throw ConnectError(name() + ": TLS handshake: " + failure);
    if (reason == SSL_ERROR_NONE) return;

    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
    if (got == 0) {
      throw ConnectError(name() + ": the relay closed the connection inside the TLS handshake; the client certificate "
                                  "was probably refused, see the relay's log");
    }
    if (got < 0) {
      throw ConnectError(name() + ": TLS handshake: " +
                         (errno == EAGAIN ? "no answer for " + std::to_string(kConnectSeconds) + " s" : errnoText()));
    }
    bytes_total += got;
    if (bytes_total > bytes_max) throw ConnectError(name() + ": the TLS handshake does not end");
    in_ = buffer.data();
    in_bytes_ = static_cast<size_t>(got);
  }
}

void TlsConnection::queueFrame(const uint8_t* data, size_t bytes) {
  if (out_.size() - out_position_ > kOutputBytesMax) lost("the relay has stopped reading");
  // The output BIO takes everything, so one call writes the whole frame.
  if (SSL_write(ssl_, data, static_cast<int>(bytes)) != static_cast<int>(bytes)) lost("SSL_write: " + sslErrorText());
}

bool TlsConnection::flush() {
  while (hasOutput()) {
    const ssize_t sent = ::send(fd_, out_.data() + out_position_, out_.size() - out_position_, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        out_.erase(out_.begin(), out_.begin() + static_cast<ptrdiff_t>(out_position_));
        out_position_ = 0;
        return false;
      }
      lost("send: " + errnoText());
    }
    out_position_ += static_cast<size_t>(sent);
  }
  out_.clear();
  out_position_ = 0;
  return true;
}

void TlsConnection::receive(std::vector<uint8_t>& scratch, FrameSink& sink) {
  const ssize_t got = ::recv(fd_, scratch.data(), scratch.size(), 0);
  if (got < 0) {
    if (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK) return;
    lost("recv: " + errnoText());
  }
  if (got == 0) lost("closed by the relay");
  in_ = scratch.data();
  in_bytes_ = static_cast<size_t>(got);
  // One SSL_read returns bytes of one record only, so the loop sees the records as the relay made them. It ends when
  // OpenSSL has taken all of `scratch` (a record that is not complete is copied into its own buffer).
  for (;;) {
    ERR_clear_error();
    const int bytes = SSL_read(ssl_, record_.data(), static_cast<int>(record_.size()));
    if (bytes > 0) {
      onRecord(record_.data(), static_cast<size_t>(bytes), sink);
      continue;
    }
    const int reason = SSL_get_error(ssl_, bytes);
    if (reason == SSL_ERROR_WANT_READ) return;
    if (reason == SSL_ERROR_ZERO_RETURN) lost("closed by the relay");
    lost("TLS: " + sslErrorText());
  }
}

void TlsConnection::onRecord(const uint8_t* record, size_t bytes, FrameSink& sink) {
  counts_.records++;
  const uint8_t* data = record;
  size_t available = bytes;
  if (!partial_.empty()) {
    partial_.insert(partial_.end(), record, record + bytes);
    data = partial_.data();
    available = partial_.size();
  }
  size_t position = 0;
  size_t frames_ended = 0;
  while (available - position >= 4) {
    const size_t length = readU32(data + position);
    if (length < kHeaderBytes || length > kFrameBytesMax) {
      lost("a frame declares " + std::to_string(length) + " bytes");
    }
    if (available - position < length) break;
    if (partial_records_ > 0 && length <= kRecordBytesMax) counts_.split++;
    sink.onFrame(*this, Frame{data + position, length});
    position += length;
    partial_records_ = 0;
    frames_ended++;
  }
  counts_.frames += frames_ended;
  if (frames_ended > 1 || (frames_ended == 1 && position < available)) counts_.joined++;
  if (position == available) {
    partial_.clear();
  } else {
    if (partial_.empty()) partial_.assign(data + position, data + available);
    else partial_.erase(partial_.begin(), partial_.begin() + static_cast<ptrdiff_t>(position));
    partial_records_++;
  }
}

void TlsConnection::lost(const std::string& what) const { throw ConnectionLost(name() + ": " + what); }

int TlsConnection::bioRead(BIO* bio, char* to, int bytes) {
  auto* self = static_cast<TlsConnection*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (self->in_bytes_ == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const size_t taken = std::min(self->in_bytes_, static_cast<size_t>(bytes));
  std::memcpy(to, self->in_, taken);
  self->in_ += taken;
  self->in_bytes_ -= taken;
  return static_cast<int>(taken);
}

int TlsConnection::bioWrite(BIO* bio, const char* from, int bytes) {
  auto* self = static_cast<TlsConnection*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const auto* first = reinterpret_cast<const uint8_t*>(from);
  self->out_.insert(self->out_.end(), first, first + bytes);
  return bytes;
}

long TlsConnection::bioControl(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

BIO_METHOD* TlsConnection::bioMethod() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "generator memory");
    BIO_meth_set_read(made, bioRead);
    BIO_meth_set_write(made, bioWrite);
    BIO_meth_set_ctrl(made, bioControl);
    return made;
  }();
  return method;
}

}  // namespace bench
