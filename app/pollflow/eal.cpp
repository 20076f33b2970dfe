#include "eal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "failure.hpp"

namespace pollflow::app {
namespace {

// EAL prints its usage on standard output, where flow records may be going: keep it out for a
// while.
class QuietStdout {
 public:
  QuietStdout() : kept_(dup(STDOUT_FILENO)) {
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    std::fflush(stdout);
    if (kept_ >= 0 && null >= 0) dup2(null, STDOUT_FILENO);
    if (null >= 0) close(null);
  }
  QuietStdout(const QuietStdout&) = delete;
  QuietStdout& operator=(const QuietStdout&) = delete;
  ~QuietStdout() {
    std::fflush(stdout);
    if (kept_ < 0) return;
    dup2(kept_, STDOUT_FILENO);
    close(kept_);
  }

 private:
  int kept_;
};

// Without root, EAL wants to keep its run-time files where XDG_RUNTIME_DIR points and gives up when
// that is not there; unset, it takes the temporary folder.
void forget_missing_runtime_folder() {
  const char* folder = std::getenv("XDG_RUNTIME_DIR");
  if (folder != nullptr && access(folder, W_OK | X_OK) != 0) unsetenv("XDG_RUNTIME_DIR");
}

int start(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments)
    argv.push_back(argument.data());
  argv.push_back(nullptr);
  const QuietStdout quiet;
  return rte_eal_init(static_cast<int>(arguments.size()), argv.data());
}

}  // namespace

Eal::Eal(const std::vector<std::string>& arguments, bool operator_wants_log,
         bool operator_arguments) {
  if (!operator_wants_log) log_stream_ = open_memstream(&log_text_, &log_bytes_);
  if (log_stream_ != nullptr) rte_openlog_stream(log_stream_);
  forget_missing_runtime_folder();
  if (start(arguments) >= 0) return;
  std::string given;
  for (size_t i = 1; i < arguments.size(); ++i)
    given += ' ' + arguments[i];
  const auto code =
      operator_arguments && rte_errno == EINVAL ? ExitCode::usage : ExitCode::no_device;
  throw Failure(
      code,
      fmt::format("DPDK's EAL did not start ({}); it was given:{}", rte_strerror(rte_errno), given),
      log());
}

Eal::~Eal() {
  rte_eal_cleanup();
  rte_openlog_stream(nullptr);
  if (log_stream_ != nullptr) fclose(log_stream_);
  std::free(log_text_);
}

std::string Eal::log() const {
  if (log_stream_ == nullptr) return {};
  std::fflush(log_stream_);
  std::istringstream lines(std::string(log_text_, log_bytes_));
  std::string text;
  for (std::string line; std::getline(lines, line);)
    text += "  | " + line + "\n";
  return text;
}

}  // namespace pollflow::app
