#pragma once

namespace pollflow::app {

// From now on every thread of this process may make only the system calls that a pollflow makes
// which has started, until its end (seccomp(2)): to receive, send, write to files that are open,
// read configuration and routes again, answer control clients and metrics readers, start threads
// for these, and close its ports. Others answer EPERM: no program can be run, no memory made
// executable, no socket of another kind opened, no process looked into.
//
// False, and nothing is changed, in a build without libseccomp. Throws Failure when the kernel
// refuses.
bool filter_system_calls();

}  // namespace pollflow::app
