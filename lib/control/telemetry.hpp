#pragma once

#include "control/actions.hpp"
#include "control/sources.hpp"

namespace pollflow::control {

// Answers the commands of docs/reference/telemetry.md on DPDK's telemetry socket, from construction
// to destruction, on the library's own threads. One may exist in a process.
class Telemetry {
 public:
  // Once, before EAL starts the library's threads. Until there is a desk, a command is answered by
  // a sentence that says so.
  static void register_commands();

  Telemetry(const Sources& sources, Actions actions);
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;
  // Waits for commands that are being answered.
  ~Telemetry();
};

}  // namespace pollflow::control
