#pragma once

#include <string>
#include <vector>

namespace pollflow::control {

// EAL's log levels: emergency, alert, critical, error, warning, notice, info, debug (1 to 8).

// Sets the types that a shell pattern such as "pmd.net.*" matches; raises the level above which EAL
// logs nothing of any type if it must. Throws std::invalid_argument with a sentence.
void set_log_level(const std::string& types, const std::string& level);

// Above it EAL logs nothing of any type.
std::string global_log_level();

// "TYPE LEVEL" of the types whose level is neither notice nor info, which is what they begin with;
// as many as a reply has room for.
std::vector<std::string> unusual_log_types();

}  // namespace pollflow::control
