#include "output.hpp"

#include <cerrno>
#include <cstring>

#include "failure.hpp"

namespace pollflow::ctl {
namespace {

constexpr size_t buffer_bytes = size_t{64} * 1024;

}  // namespace

void Output::write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= buffer_bytes) flush();
}

void Output::flush() {
  const auto written = file_.write(buffer_);
  buffer_.clear();
  if (written.error == EPIPE) throw ReaderGone{};
  if (written.error != 0)
    throw Failure(ExitCode::failed, fmt::format("standard output takes no more output ({})",
                                                std::strerror(written.error)));
}

}  // namespace pollflow::ctl
