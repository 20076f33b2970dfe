#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "exporter/output_file.hpp"

namespace pollflow::ctl {

// Who read standard output reads no more (`| head`): no reason to complain, only to stop.
struct ReaderGone {};

// Standard output, behind a buffer. Throws ReaderGone, or Failure (failed) when it takes no more
// for another reason. What is not flushed is not written.
class Output {
 public:
  void write(std::string_view text);
  void flush();

  template <typename... Args>
  void print(fmt::format_string<Args...> format, Args&&... args) {
    write(fmt::format(format, std::forward<Args>(args)...));
  }

 private:
  exporter::OutputFile file_{"-", "standard output"};
  std::string buffer_;
};

}  // namespace pollflow::ctl
