#include "telemetry_client.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

namespace pollflow::ctl {
namespace {

constexpr int usual_timeout_s = 10;
// telemetry reads 1023 bytes of a request and drops the rest (client_handler, lib/telemetry).
constexpr size_t request_bytes_max = 1023;
// It sends at most 16384; the rest is room to see that something longer came.
constexpr size_t message_bytes_max = size_t{64} * 1024;

void set_timeout(int socket, int option, int seconds) {
  const timeval limit{.tv_sec = seconds, .tv_usec = 0};
  setsockopt(socket, SOL_SOCKET, option, &limit, sizeof limit);
}

}  // namespace

TelemetryClient::TelemetryClient(std::string path) : path_(std::move(path)) {
  socket_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (socket_ < 0) fail(ExitCode::failed, fmt::format("no socket ({})", std::strerror(errno)));
  try {
    connect_socket();
    read_greeting();
  } catch (...) {
    close(socket_);
    throw;
  }
}

TelemetryClient::~TelemetryClient() {
  close(socket_);
}

void TelemetryClient::fail(ExitCode code, const std::string& why) const {
  throw Failure(code, fmt::format("{}: {}", path_, why));
}

void TelemetryClient::connect_socket() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path)
    fail(ExitCode::usage,
         fmt::format("longer than a socket's name may be ({} bytes)", sizeof address.sun_path - 1));
  path_.copy(static_cast<char*>(address.sun_path), path_.size());
  set_timeout(socket_, SO_SNDTIMEO, usual_timeout_s);
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return;
  const int why = errno;
  std::error_code error;
  if (why == ECONNREFUSED && !std::filesystem::is_socket(path_, error))
    fail(no_answer, "that is no socket; give DPDK's dpdk_telemetry.v2 of a pollflow");
  switch (why) {
    case ECONNREFUSED:
      fail(no_answer,
           "nobody listens there any more: the process that made it has ended; start pollflow, or "
           "give the --file-prefix of one that runs");
    case ENOENT:
    case ENOTDIR:
      fail(no_answer, "there is no such socket; is pollflow running?");
    case EACCES:
    case EPERM:
      fail(ExitCode::no_permission,
           "no permission to connect; run pollflowctl as the user that pollflow runs as, or as "
           "root");
    case EAGAIN:
      fail(no_answer, fmt::format("nobody took the connection for {} s", usual_timeout_s));
    default:
      fail(no_answer,
           fmt::format("cannot connect ({}); give DPDK's telemetry socket", std::strerror(why)));
  }
}

void TelemetryClient::read_greeting() {
  const Json greeting = read_message(usual_timeout_s);
  const auto member = [&](const char* name) { return greeting.value(name, Json()); };
  if (!greeting.is_object() || !member("version").is_string() ||
      !member("pid").is_number_unsigned() || !member("max_output_len").is_number_unsigned())
    fail(no_answer, "who listens there is no DPDK process; give the socket of a pollflow");
  pid_ = member("pid").get<uint64_t>();
}

Reply TelemetryClient::ask(const Request& request) {
  Json answer = answer_to(request);
  if (answer.is_string())
    throw Failure(request.users_words ? ExitCode::usage : ExitCode::failed,
                  answer.get<std::string>());
  if (answer.is_null()) refuse_stranger(request.command);
  if (!answer.is_object())
    fail(ExitCode::failed, fmt::format("the answer to {} is neither an object nor a sentence; is "
                                       "it a pollflow of another version?",
                                       request.command));
  return {request.command, std::move(answer)};
}

Json TelemetryClient::answer_to(const Request& request) {
  std::string message = request.command;
  if (!request.parameters.empty()) message += "," + request.parameters;
  if (message.size() > request_bytes_max) {
    throw Failure(request.users_words ? ExitCode::usage : ExitCode::failed,
                  fmt::format("a request of {} bytes; telemetry takes {} at most, so give a "
                              "shorter filter",
                              message.size(), request_bytes_max));
  }
  send_message(message);
  Json reply = read_message(request.timeout_s);
  if (!reply.is_object() || reply.size() != 1 || !reply.contains(request.command))
    fail(ExitCode::failed, fmt::format("what came is no answer to {}; is it a pollflow of another "
                                       "version?",
                                       request.command));
  return std::move(reply[request.command]);
}

void TelemetryClient::send_message(const std::string& message) {
  ssize_t sent = 0;
  do {
    sent = send(socket_, message.data(), message.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0)
    fail(no_answer,
         fmt::format("pollflow has gone ({}): it took no more requests", std::strerror(errno)));
}

Json TelemetryClient::read_message(int timeout_s) {
  set_timeout(socket_, SO_RCVTIMEO, timeout_s);
  std::vector<char> message(message_bytes_max);
  ssize_t bytes = 0;
  do {
    bytes = recv(socket_, message.data(), message.size(), MSG_TRUNC);
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0 && errno == EAGAIN)
    fail(no_answer, fmt::format("no answer for {} s: the process there is busy, stopped or no "
                                "pollflow",
                                timeout_s));
  if (bytes < 0 && errno != ECONNRESET)
    fail(no_answer, fmt::format("cannot read from it ({})", std::strerror(errno)));
  if (bytes <= 0 && pid_ == 0)
    fail(no_answer, "it hung up at once: pollflow is stopping, or ten clients are there already");
  if (bytes <= 0) fail(no_answer, fmt::format("pollflow (process {}) has gone", pid_));
  if (static_cast<size_t>(bytes) > message.size())
    fail(ExitCode::failed, fmt::format("a message of {} bytes, more than telemetry sends", bytes));
  Json json = Json::parse(message.begin(), message.begin() + bytes, nullptr, false);
  if (json.is_discarded()) fail(ExitCode::failed, "what came is no JSON; is it DPDK's telemetry?");
  return json;
}

// Null says that there is no such command: not in this version, or as this is no pollflow.
void TelemetryClient::refuse_stranger(const std::string& command) {
  const std::string known = "/pollflow/info";
  if (command != known && answer_to({.command = known}).is_object())
    fail(ExitCode::failed, fmt::format("the pollflow there (process {}) does not know {}: it is "
                                       "of another version",
                                       pid_, command));
  fail(no_answer, fmt::format("process {} is a DPDK process, but no pollflow on live ports; give "
                              "the --file-prefix of one",
                              pid_));
}

}  // namespace pollflow::ctl
