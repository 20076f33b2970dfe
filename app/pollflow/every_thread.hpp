#pragma once

namespace pollflow::app {

// Has every thread of this process but the calling one call `step`, in a signal handler, so it may
// do only what is safe there (signal-safety(7)). For what the kernel keeps for each thread and the
// C library does not set for all: capabilities. Threads of DPDK's are interrupted where they wait,
// and go on waiting.
//
// False, with errno, when a step answered false, a thread could not be sent the signal (EAGAIN:
// more wait than RLIMIT_SIGPENDING allows), or one did not answer within ten seconds (ETIMEDOUT),
// for which it would have to have blocked it.
bool in_every_other_thread(bool (*step)() noexcept);

}  // namespace pollflow::app
