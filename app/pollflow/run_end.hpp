#pragma once

#include <cstdio>
#include <optional>

#include "exporter/output_file.hpp"
#include "failure.hpp"
#include "flow/ledger.hpp"
#include "options.hpp"
#include "pipeline/export_loop.hpp"

namespace pollflow::app {

// Creates the outputs that the options name, before anything runs: no run without its account.
// Throws Failure.
struct OpenOutputs {
  explicit OpenOutputs(const Options& options);

  pipeline::Outputs records;
  std::optional<exporter::OutputFile> ledger;
};

// Where people read: standard output, unless records or ledger go there for a program to read.
FILE* for_people(const Options& options);

// After a run: says what went wrong with ledger and outputs, writes --ledger, prints both to
// people. Returns the exit code that follows.
ExitCode end_run(const Options& options, const flow::Ledger& ledger, OpenOutputs& outputs);

}  // namespace pollflow::app
