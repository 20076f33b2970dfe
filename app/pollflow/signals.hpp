#pragma once

namespace pollflow::app {

// SIGINT and SIGTERM are counted. SIGPIPE and SIGXFSZ are ignored: the write then fails with an
// errno.
void install_signal_handlers();

// How often SIGINT or SIGTERM came. The same one again within a moment is the same one: timeout(1),
// for one, signals its child and then the child's group.
int stop_signals() noexcept;

// From now on SIGHUP asks for a reload, and ends the process no more.
void reload_on_hangup();
// How often it came.
unsigned reload_signals() noexcept;

// Called by the second one, from within the signal handler, wherever the program may be waiting: it
// may do no more than a signal handler may, and should end the process. nullptr: nothing is called.
// To begin with it is one that ends the process.
void on_second_stop(void (*action)());

}  // namespace pollflow::app
