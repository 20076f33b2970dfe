#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "printable.hpp"

namespace pollflow {

// Exit codes of pollflow, after BSD's sysexits.h; docs/reference/exit-codes.md.
enum class ExitCode : int {
  done = 0,
  failed = 1,  // at run time, or the ledger does not add up
  usage = 64,
  no_input = 66,
  no_device = 69,
  cannot_create = 73,
  no_permission = 77,
  configuration = 78,
};

// Why pollflow cannot start or go on: one sentence that names what is wrong, where, and what to do.
// Thrown while starting and stopping only; nothing on the data path throws.
struct Failure : std::runtime_error {
  // `more`: whole lines to show behind the sentence, such as EAL's own words.
  Failure(ExitCode exit_code, const std::string& sentence, std::string more = {})
      : std::runtime_error(printable(sentence)), code(exit_code), details(std::move(more)) {}

  ExitCode code;
  std::string details;
};

}  // namespace pollflow
