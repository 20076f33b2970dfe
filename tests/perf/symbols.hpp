#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace pollflow::test {

// Names for addresses of a process, by its memory map and binutils' addr2line.
class Symbols {
 public:
  // Reads the map as it is now.
  explicit Symbols(pid_t process);

  // "function [file]"; without addr2line or a symbol "0xOFFSET [file]".
  [[nodiscard]] std::string name_of(uint64_t address) const;

 private:
  struct Mapping {
    uint64_t begin;
    uint64_t end;
    uint64_t base;  // where the file's first mapping begins
    std::string file;
  };
  std::vector<Mapping> mappings_;
};

}  // namespace pollflow::test
