#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "flow_line.hpp"
#include "flow_printer.hpp"

namespace pollflow::ctl {

// A command line taken apart; docs/reference/pollflowctl.md.
struct Arguments {
  bool help = false;
  bool version = false;
  std::string file_prefix = "rte";  // EAL's own default
  std::string socket;               // empty: found by file_prefix

  std::string command;             // empty: none
  std::vector<std::string> words;  // what stands behind it

  Format format = Format::text;
  std::optional<uint64_t> top;
  std::optional<Order> by;
  std::string filter;  // empty: none
  bool all = false;
  bool once = false;
  double interval_s = 1;
};

// Throws Failure (usage) with what is wrong and what would be right.
Arguments parse_arguments(const std::vector<std::string>& arguments);

// What --help prints: of one command, or of pollflowctl when it is empty.
std::string help_text(const std::string& command);

}  // namespace pollflow::ctl
