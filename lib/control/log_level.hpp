#pragma once

#include <string>
#include <vector>

namespace pollflow::control {

// EAL's log levels: emergency, alert, critical, error, warning, notice, info, debug (1 to 8).

// Sets the types that a shell pattern such as "pmd.net.*" matches; raises the level above which EAL
// logs nothing of any type if it must. Throws std::invalid_argument with a sentence.
void set_log_level(const std::string& types, const std::string& level);

struct LogLevels {
  std::string level;                // that most types have
  std::vector<std::string> others;  // "TYPE LEVEL", as many as a reply has room for
  size_t left_out = 0;
};
LogLevels log_levels();

}  // namespace pollflow::control
