#include "control/metrics_server.hpp"

#include <fmt/format.h>
#include <microhttpd.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <string_view>
#include <utility>

#include "failure.hpp"

namespace pollflow::control {
namespace {

using exporter::CollectorAddress;
using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

constexpr const char* metrics_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr const char* plain_type = "text/plain; charset=utf-8";
constexpr size_t connection_bytes = 16 << 10;  // holds a request's headers
constexpr int backlog = 16;

AddressList resolve(const CollectorAddress& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found);
  if (error != 0) {
    throw Failure(ExitCode::failed,
                  fmt::format("--metrics {}: the name {} does not resolve ({}); give an address of "
                              "this host, such as 127.0.0.1",
                              address.name(), address.host, gai_strerror(error)));
  }
  return {found, &freeaddrinfo};
}

// A socket that listens there, or -1 and errno.
int listen_at(const addrinfo& address) {
  const int opened = socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (opened < 0) return -1;
  // So that a restart need not wait for old connections to be forgotten.
  const int on = 1;
  setsockopt(opened, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(opened, address.ai_addr, address.ai_addrlen) == 0 && listen(opened, backlog) == 0)
    return opened;
  const int error = errno;
  close(opened);
  errno = error;
  return -1;
}

Failure refusal(const CollectorAddress& address, int error) {
  const bool denied = error == EACCES || error == EPERM;
  const char* what_to_do = denied                   ? "give a port from 1024 on"
                           : error == EADDRINUSE    ? "another program does; give another port"
                           : error == EADDRNOTAVAIL ? "give an address that this host has"
                                                    : "give another address";
  return {denied ? ExitCode::no_permission : ExitCode::cannot_create,
          fmt::format("--metrics {}: cannot listen there ({}); {}", address.name(),
                      std::strerror(error), what_to_do)};
}

// The first address of the name that can be listened at.
int listen_at(const CollectorAddress& address) {
  const AddressList list = resolve(address);
  int error = 0;
  for (const addrinfo* at = list.get(); at != nullptr; at = at->ai_next) {
    const int listening = listen_at(*at);
    if (listening >= 0) return listening;
    error = errno;
  }
  throw refusal(address, error);
}

struct Answer {
  unsigned status;
  const char* type;
  std::string text;
};

Answer answer(const MetricsServer::Page& page, std::string_view path, std::string_view method) {
  if (method != MHD_HTTP_METHOD_GET && method != MHD_HTTP_METHOD_HEAD)
    return {MHD_HTTP_METHOD_NOT_ALLOWED, plain_type, "Only GET and HEAD are answered here.\n"};
  if (path == "/")
    return {MHD_HTTP_OK, plain_type, "pollflow. Its counters, for Prometheus: /metrics\n"};
  if (path != "/metrics")
    return {MHD_HTTP_NOT_FOUND, plain_type, "There is nothing here; counters are at /metrics\n"};
  if (std::optional<std::string> text = page())
    return {MHD_HTTP_OK, metrics_type, *std::move(text)};
  return {MHD_HTTP_SERVICE_UNAVAILABLE, plain_type,
          "pollflow is not receiving: it is starting, or stopping.\n"};
}

MHD_Result send(MHD_Connection* connection, const Answer& answer) {
  // MHD takes a pointer to non-const bytes, and copies them.
  MHD_Response* response = MHD_create_response_from_buffer(
      answer.text.size(), const_cast<char*>(answer.text.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer.type);
  if (answer.status == MHD_HTTP_METHOD_NOT_ALLOWED)
    MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  const MHD_Result result = MHD_queue_response(connection, answer.status, response);
  MHD_destroy_response(response);
  return result;
}

// MHD calls once when it has a request's headers, and again when it has all of it. Answering GET
// the second time keeps the connection for the next scrape; anything else has a body that nobody
// wants to read, and is answered the first time, which closes it. MHD_NO closes it, too.
MHD_Result on_request(void* page, MHD_Connection* connection, const char* path, const char* method,
                      const char*, const char*, size_t* body_bytes, void** seen) noexcept {
  const bool wanted = std::string_view(method) == MHD_HTTP_METHOD_GET ||
                      std::string_view(method) == MHD_HTTP_METHOD_HEAD;
  if (wanted && *seen == nullptr) {
    *seen = page;
    return MHD_YES;
  }
  if (*body_bytes > 0) return MHD_NO;
  try {
    return send(connection, answer(*static_cast<MetricsServer::Page*>(page), path, method));
  } catch (const std::exception&) {
    return MHD_NO;
  }
}

// What an operator sends is for the thread that started the server: a new thread inherits what is
// blocked. Real-time signals are for threads one by one.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal)
      sigdelset(&all, signal);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

MetricsServer::MetricsServer(const CollectorAddress& address, Page page)
    : page_(std::make_unique<Page>(std::move(page))) {
  const int listening = listen_at(address);
  const SignalsBlocked blocked;
  daemon_ = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, nullptr, nullptr,
                             &on_request, page_.get(), MHD_OPTION_LISTEN_SOCKET, listening,
                             MHD_OPTION_CONNECTION_LIMIT, connections_max,
                             MHD_OPTION_CONNECTION_TIMEOUT, silence_s_max,
                             MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_bytes, MHD_OPTION_END);
  if (daemon_ != nullptr) return;
  throw Failure(ExitCode::failed, fmt::format("--metrics {}: no thread to serve it ({}); raise the "
                                              "limits on threads and open files",
                                              address.name(), std::strerror(errno)));
}

MetricsServer::~MetricsServer() {
  MHD_stop_daemon(daemon_);  // and closes what listens
}

}  // namespace pollflow::control
