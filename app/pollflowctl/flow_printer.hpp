#pragma once

#include <cstdint>

#include "flow_line.hpp"
#include "output.hpp"

namespace pollflow::ctl {

enum class Format { text, json, csv };

std::string flow_heading();               // of the lines for people
std::string flow_text(const Flow& flow);  // such a line

// Prints flows one after the other as they come: docs/reference/pollflowctl.md.
class FlowPrinter {
 public:
  FlowPrinter(Output& output, Format format) : output_(output), format_(format) {}

  // What stands before all flows; `now_ms` is Unix time of the answer.
  void begin(int64_t now_ms);
  void print(const Flow& flow);
  void end();

  [[nodiscard]] uint64_t printed() const noexcept { return printed_; }

 private:
  Output& output_;
  Format format_;
  uint64_t printed_ = 0;
};

}  // namespace pollflow::ctl
