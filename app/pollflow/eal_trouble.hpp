#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "failure.hpp"

namespace pollflow::app {

struct EalTrouble {
  ExitCode code;
  std::string sentence;  // what is wrong, and the command that mends it
};

// What EAL's log says went wrong, in our words; nullopt when it holds nothing that is known here.
// `log`: EAL's lines as it wrote them (DPDK 22.11 and 24.11).
std::optional<EalTrouble> explain_eal(std::string_view log);

// Likewise when EAL did start, but without the port that was meant: what it says of lcores and
// memory is then no trouble.
std::optional<EalTrouble> explain_missing_port(std::string_view log);

}  // namespace pollflow::app
