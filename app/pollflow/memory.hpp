#pragma once

#include <cstddef>

namespace pollflow::app {

// Throws Failure when the machine has not `bytes` of memory to give. Without huge pages memory is
// handed out as it is first touched, and a table that outgrew the machine would be found out by the
// kernel killing pollflow in the middle of a run.
void check_memory_available(size_t bytes);

}  // namespace pollflow::app
