#pragma once

#include <cstdint>

#include "control/actions.hpp"
#include "control/sources.hpp"

struct rte_tel_data;

namespace pollflow::control {

// The replies of docs/reference/telemetry.md that are made of counters. Each throws
// std::invalid_argument with a sentence when there is no such worker, port or collector.
void reply_info(const Statistics& statistics, const Sources& sources, const RulesInForce& rules,
                rte_tel_data* data);
void reply_worker(const Statistics& statistics, const Sources& sources, uint64_t lcore,
                  rte_tel_data* data);
void reply_port(const Statistics& statistics, uint64_t port, rte_tel_data* data);
void reply_collector(const Statistics& statistics, uint64_t number, rte_tel_data* data);
void reply_ledger(const Statistics& statistics, rte_tel_data* data);

}  // namespace pollflow::control
