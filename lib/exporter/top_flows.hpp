#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "flow/record.hpp"

namespace pollflow::exporter {

// The busiest records of a run, by octets, in constant memory: what a person is shown who asked for
// no other output.
class TopFlows {
 public:
  static constexpr size_t shown_max = 20;

  void add(const flow::Record& record);

  // A table for people, busiest first, with a line that says how many of how many are shown.
  [[nodiscard]] std::string text() const;

 private:
  size_t seen_ = 0;
  std::vector<flow::Record> heap_;  // the least busy of those kept is in front
};

}  // namespace pollflow::exporter
