#pragma once

#include <string>

#include "failure.hpp"
#include "reply.hpp"

namespace pollflow::ctl {

// No pollflow answers: EX_UNAVAILABLE of sysexits.h.
inline constexpr ExitCode no_answer = ExitCode::no_device;

struct Request {
  std::string command;       // such as /pollflow/info
  std::string parameters;    // what stands behind its comma; empty: nothing
  bool users_words = false;  // the parameters are the user's, so to refuse them is about usage
  int timeout_s = 10;
};

// A connection to a running pollflow: docs/reference/telemetry.md. One message a request, one a
// reply; each read and write has a time limit. Everything here throws Failure: no_answer when
// nobody answers, or somebody who is no pollflow.
class TelemetryClient {
 public:
  // Connects and reads the greeting, which names version and process.
  explicit TelemetryClient(std::string path);
  TelemetryClient(const TelemetryClient&) = delete;
  TelemetryClient& operator=(const TelemetryClient&) = delete;
  ~TelemetryClient();

  // The answer. A sentence instead of one is thrown as it is, with `usage` for the user's words and
  // with `failed` otherwise.
  Reply ask(const Request& request);

  [[nodiscard]] uint64_t pid() const noexcept { return pid_; }

 private:
  void connect_socket();
  void read_greeting();
  [[nodiscard]] Json answer_to(const Request& request);
  void send_message(const std::string& message);
  [[nodiscard]] Json read_message(int timeout_s);
  [[noreturn]] void refuse_stranger(const std::string& command);
  [[noreturn]] void fail(ExitCode code, const std::string& why) const;

  std::string path_;
  int socket_ = -1;
  uint64_t pid_ = 0;
};

}  // namespace pollflow::ctl
