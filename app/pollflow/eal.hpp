#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace pollflow::app {

// DPDK's environment for the life of this object; a process can have it once. What EAL and its
// drivers log is kept, and shown when they fail, unless the operator asked EAL for a log level.
class Eal {
 public:
  // Throws Failure, with EAL's own words behind ours.
  Eal(const std::vector<std::string>& arguments, bool operator_wants_log, bool operator_arguments);
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;
  ~Eal();

  // What was logged so far, each line indented; empty when there is nothing.
  [[nodiscard]] std::string log() const;

 private:
  char* log_text_ = nullptr;
  size_t log_bytes_ = 0;
  FILE* log_stream_ = nullptr;
};

}  // namespace pollflow::app
