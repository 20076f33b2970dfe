// Preloaded into pollflow by test_ledger.py: a device that claims one packet more than it
// delivered, so that the ledger does not add up and pollflow has to say so.

#include <dlfcn.h>
#include <rte_ethdev.h>

extern "C" int rte_eth_stats_get(uint16_t port_id, rte_eth_stats* stats) {
  using StatsGet = int (*)(uint16_t, rte_eth_stats*);
  static const auto real = reinterpret_cast<StatsGet>(dlsym(RTLD_NEXT, "rte_eth_stats_get"));
  const int result = real(port_id, stats);
  if (stats->ipackets > 0) ++stats->ipackets;
  return result;
}
