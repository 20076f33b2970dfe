#pragma once

#include "failure.hpp"
#include "options.hpp"

namespace pollflow::app {

// What a command line asks for, from start to exit code. Throws Failure.
ExitCode read_capture(const CommandLine& line);
ExitCode run_live(const CommandLine& line);

}  // namespace pollflow::app
