#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace pollflow::test {

// Names for addresses of a fork of this process: functions that a library exports by this process's
// own linker, those of the program by binutils' addr2line.
class Symbols {
 public:
  // Reads the map as it is now.
  explicit Symbols(pid_t process);

  struct Place {
    std::string
        function;      // "0xOFFSET" where it has no name: not exported, or loaded after the fork
    std::string file;  // without its folder
  };
  [[nodiscard]] Place place_of(uint64_t address) const;

  // In the program's own file.
  [[nodiscard]] bool in_program(uint64_t address) const;

 private:
  struct Mapping {
    uint64_t begin;
    uint64_t end;
    uint64_t base;  // where the file's first mapping begins
    std::string file;
  };

  [[nodiscard]] const Mapping* mapping_of(uint64_t address) const;
  [[nodiscard]] std::string function_at(uint64_t address, const Mapping& mapping) const;

  std::string program_;
  std::vector<Mapping> mappings_;
};

}  // namespace pollflow::test
