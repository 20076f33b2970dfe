#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "fuzz/expect.hpp"

namespace pollflow::test {

// A file that is in no folder, so that nothing is left behind: it has a path and contents.
class MemoryFile {
 public:
  MemoryFile() : file_(memfd_create("fuzz", MFD_CLOEXEC)) {
    expect(file_ >= 0, "the kernel gives a file in memory");
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { close(file_); }

  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

  void fill(std::string_view contents) const {
    expect(ftruncate(file_, 0) == 0, "it can be emptied");
    const ssize_t bytes = pwrite(file_, contents.data(), contents.size(), 0);
    expect(bytes == static_cast<ssize_t>(contents.size()), "it takes the contents");
  }

 private:
  int file_;
};

}  // namespace pollflow::test
