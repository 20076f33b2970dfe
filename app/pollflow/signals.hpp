#pragma once

namespace pollflow::app {

// SIGINT and SIGTERM are counted, SIGPIPE is ignored (a write then fails with EPIPE).
void install_signal_handlers();

// How often SIGINT or SIGTERM came.
int stop_signals() noexcept;

}  // namespace pollflow::app
