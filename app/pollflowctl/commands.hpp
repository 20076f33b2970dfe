#pragma once

#include "arguments.hpp"
#include "failure.hpp"
#include "output.hpp"
#include "telemetry_client.hpp"

namespace pollflow::ctl {

// Each prints what it is named after. Throw Failure, or ReaderGone; what they print is not flushed
// when they return.
void show(TelemetryClient& client, const Arguments& arguments, Output& output);
void info(TelemetryClient& client, const Arguments& arguments, Output& output);
void top(TelemetryClient& client, const Arguments& arguments, Output& output);
void timeouts(TelemetryClient& client, const Arguments& arguments, Output& output);
void expire(TelemetryClient& client, const Arguments& arguments, Output& output);
void log_level(TelemetryClient& client, const Arguments& arguments, Output& output);
void routes(TelemetryClient& client, const Arguments& arguments, Output& output);
// Answers `failed` when the ledger does not add up.
ExitCode ledger(TelemetryClient& client, const Arguments& arguments, Output& output);

// What the command's words must be, looked at before anybody is asked. Throws Failure (usage).
void check_words(const Arguments& arguments);

}  // namespace pollflow::ctl
