#pragma once

#include <atomic>
#include <cstdio>
#include <string>
#include <vector>

namespace pollflow::app {

// DPDK's environment for the life of this object; a process can have it once. What EAL and its
// drivers log while pollflow starts is kept, and shown when they fail, unless the operator asked
// EAL for a log level.
class Eal {
 public:
  // Throws Failure, with EAL's own words behind ours. `operator_arguments`: what stood before "--".
  Eal(const std::vector<std::string>& arguments,
      const std::vector<std::string>& operator_arguments);
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;
  ~Eal();

  // What was logged so far, each line indented; empty when there is nothing.
  [[nodiscard]] std::string log() const;
  // The same as EAL wrote it.
  [[nodiscard]] std::string raw_log() const;

  // From now on each line is printed as it is logged, behind pollflow's name.
  void log_aloud() noexcept { aloud_ = true; }

 private:
  static ssize_t keep(void* self, const char* text, size_t bytes);

  FILE* log_stream_ = nullptr;
  std::string kept_;
  std::atomic<bool> aloud_ = false;
};

}  // namespace pollflow::app
