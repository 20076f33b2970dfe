#include "eal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <string_view>

#include "eal_trouble.hpp"
#include "failure.hpp"
#include "streams.hpp"

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
  opterr = 0;  // getopt shall not speak in our name
  return rte_eal_init(static_cast<int>(arguments.size()), argv.data());
}

}  // namespace

Eal::Eal(const std::vector<std::string>& arguments,
         const std::vector<std::string>& operator_arguments) {
  const bool log_asked = std::ranges::any_of(
      operator_arguments, [](const auto& a) { return a.starts_with("--log-level"); });
  if (!log_asked) log_stream_ = fopencookie(this, "w", {.write = keep});
  if (log_stream_ != nullptr) {
    setvbuf(log_stream_, nullptr, _IOLBF, 0);
    rte_openlog_stream(log_stream_);
  }
  forget_missing_runtime_folder();
  if (start(arguments) >= 0) return;
  const int error = rte_errno;
  const auto known = explain_eal(raw_log());
  if (known) throw Failure(known->code, known->sentence, log());
  std::string given;
  for (size_t i = 1; i < arguments.size(); ++i)
    given += ' ' + arguments[i];
  const auto code =
      !operator_arguments.empty() && error == EINVAL ? ExitCode::usage : ExitCode::no_device;
  throw Failure(
      code,
      fmt::format("DPDK's EAL did not start ({}); it was given:{}", rte_strerror(error), given),
      log());
}

Eal::~Eal() {
  aloud_ = false;
  rte_eal_cleanup();
  rte_openlog_stream(nullptr);
  if (log_stream_ != nullptr) fclose(log_stream_);
}

ssize_t Eal::keep(void* self, const char* text, size_t bytes) {
  auto& eal = *static_cast<Eal*>(self);
  const std::string_view line(text, bytes);
  if (eal.aloud_) {
    say(fmt::format("DPDK: {}", line.substr(0, line.find_last_not_of('\n') + 1)));
  } else {
    eal.kept_ += line;
  }
  return static_cast<ssize_t>(bytes);
}

std::string Eal::raw_log() const {
  if (log_stream_ == nullptr) return {};
  std::fflush(log_stream_);
  flockfile(log_stream_);  // keep() is called under this lock, by EAL's threads too
  std::string copy = kept_;
  funlockfile(log_stream_);
  return copy;
}

std::string Eal::log() const {
  std::istringstream lines(raw_log());
  std::string text;
  for (std::string line; std::getline(lines, line);)
    text += "  | " + line + "\n";
  return text;
}

}  // namespace pollflow::app
