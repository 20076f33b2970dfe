#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace pollflow::test {

// What a worker did that it must not do.
struct Finding {
  std::string what;    // "system call", "locked instruction", or the function that was entered
  std::string where;   // the function that did it (or the one that called it, at its very end)
  std::string file;    // and where that is
  std::string caller;  // the last function of the program that called anything, when outside of it
  uint64_t times;

  auto operator<=>(const Finding&) const = default;
};

// What a child process did between its marks.
struct Account {
  uint64_t packets = 0;  // as the child says
  uint64_t instructions = 0;
  std::vector<Finding> findings;

  // A line each, for a message.
  [[nodiscard]] std::string text() const;
  // Takes out those whose file's name begins with `file`; returns how many times in all.
  uint64_t take(std::string_view file);
};

// The child: from here on every instruction is looked at, until it comes here again.
inline void mark() {
  asm volatile("int3" ::: "memory");
}

// True when this process may trace a child of its own. A container's seccomp profile may forbid it.
bool can_trace();

// Forks, and lets the child run at full speed outside its marks, instruction by instruction between
// them (20 to 80 us each). `child` returns how many packets it had between marks. Counts system
// calls, locked instructions, and arrivals at functions that allocate or lock. Of the child's
// threads the first alone is watched. Throws std::runtime_error when the child does not end well.
Account step(const std::function<uint64_t()>& child);

}  // namespace pollflow::test
