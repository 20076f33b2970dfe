#include "exporter/output_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "failure.hpp"

namespace pollflow::exporter {
namespace {

int create(const std::string& path, std::string_view option) {
  if (path == "-") return STDOUT_FILENO;
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file >= 0) return file;
  const bool denied = errno == EACCES || errno == EPERM;
  throw Failure(
      denied ? ExitCode::no_permission : ExitCode::cannot_create,
      fmt::format(
          "{} {}: cannot create it ({}); give a file in a folder that exists and that you may "
          "write to",
          option, path, std::strerror(errno)));
}

}  // namespace

OutputFile::OutputFile(const std::string& path, std::string_view option)
    : path_(path), file_(create(path, option)) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

OutputFile::~OutputFile() {
  if (file_ > STDERR_FILENO) close(file_);
}

int OutputFile::write(std::string_view text) const noexcept {
  while (!text.empty()) {
    const ssize_t taken = ::write(file_, text.data(), text.size());
    if (taken < 0 && errno == EINTR) continue;
    if (taken < 0 && errno == EAGAIN) {
      // Standard output may be non-blocking: its flags belong to whoever else has it open, too.
      pollfd ready{.fd = file_, .events = POLLOUT, .revents = 0};
      poll(&ready, 1, -1);
      continue;
    }
    if (taken < 0) return errno;
    text.remove_prefix(static_cast<size_t>(taken));
  }
  return 0;
}

}  // namespace pollflow::exporter
