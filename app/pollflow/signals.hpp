#pragma once

namespace pollflow::app {

// SIGINT and SIGTERM are counted. SIGPIPE and SIGXFSZ are ignored: the write then fails with an
// errno.
void install_signal_handlers();

// How often SIGINT or SIGTERM came.
int stop_signals() noexcept;

}  // namespace pollflow::app
