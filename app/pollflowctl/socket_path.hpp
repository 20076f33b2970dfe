#pragma once

#include <string>

namespace pollflow::ctl {

// Where a DPDK process with this --file-prefix listens: dpdk_telemetry.v2 in the runtime folder
// that EAL picks (eal_create_runtime_dir: $RUNTIME_DIRECTORY, else /var/run for root, else
// $XDG_RUNTIME_DIR, else /tmp; in it dpdk/PREFIX). Throws Failure: no_answer when there is no such
// socket, with the prefixes that have one.
std::string find_socket(const std::string& file_prefix);

}  // namespace pollflow::ctl
