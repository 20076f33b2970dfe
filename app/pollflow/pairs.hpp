#pragma once

#include "options.hpp"

namespace pollflow::app {

// The command line's pairs take the place of those in the file that have a port in common.
void drop_pairs_of(const PortMap& line, PortMap& file);

// Throws Failure when the pairs do not go together with the other options.
void check_pairs(const Options& options);

}  // namespace pollflow::app
