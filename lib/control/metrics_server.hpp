#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "exporter/collector.hpp"

struct MHD_Daemon;

namespace pollflow::control {

// Serves /metrics over HTTP/1.1 to whoever may connect: no TLS, no password.
//
// One thread of libmicrohttpd's, which sleeps until somebody connects. It keeps the CPU affinity of
// who starts it and takes no signals: start it before EAL, which moves the calling thread to an
// lcore's CPU. At most `connections_max` at a time, each let go when silent for `silence_s_max`;
// whoever comes then waits in the kernel's queue.
class MetricsServer {
 public:
  static constexpr unsigned connections_max = 16;
  static constexpr unsigned silence_s_max = 10;

  // What /metrics answers; nothing: not now, 503. Called in the server's thread, one call at a
  // time.
  using Page = std::function<std::optional<std::string>()>;

  // Listens and serves. Throws Failure when the name does not resolve (failed), when the address is
  // not this host's or is in use (cannot_create), or the port is privileged (no_permission).
  MetricsServer(const exporter::CollectorAddress& address, Page page);
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;
  // Closes every connection and waits for the thread.
  ~MetricsServer();

 private:
  std::unique_ptr<Page> page_;  // the thread holds its address
  MHD_Daemon* daemon_;
};

}  // namespace pollflow::control
