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

OutputFile::Written OutputFile::write(std::string_view text) const noexcept {
  size_t bytes = 0;
  while (bytes < text.size()) {
    const ssize_t taken = ::write(file_, text.data() + bytes, text.size() - bytes);
    if (taken >= 0) {
      bytes += static_cast<size_t>(taken);
    } else if (errno == EAGAIN) {
      // Standard output may be non-blocking: its flags belong to whoever else has it open, too.
      pollfd ready{.fd = file_, .events = POLLOUT, .revents = 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return {bytes, errno};
    }
  }
  return {bytes, 0};
}

}  // namespace pollflow::exporter
