#pragma once

#include <string>

#include "flow/ledger.hpp"
#include "pipeline/export_loop.hpp"

namespace pollflow::app {

// The ledger for people: docs/reference/ledger.md.
std::string ledger_text(const flow::Ledger& ledger, const pipeline::Outputs& outputs);

// The ledger as one JSON object, same page.
std::string ledger_json(const flow::Ledger& ledger, const pipeline::Outputs& outputs);

}  // namespace pollflow::app
