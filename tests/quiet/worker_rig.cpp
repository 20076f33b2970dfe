#include "quiet/worker_rig.hpp"

#include <rte_eal.h>
#include <rte_mbuf.h>

#include <array>
#include <stdexcept>

namespace pollflow::test {

void start_eal(const char* program) {
  std::array<const char*, 9> eal = {program,    "--no-huge", "--no-shconf", "--no-telemetry",
                                    "--no-pci", "-m",        "64",          "--log-level=error"};
  if (rte_eal_init(8, const_cast<char**>(eal.data())) < 0)
    throw std::runtime_error("EAL does not start without huge pages");
}

rte_mempool& packet_pool() {
  constexpr unsigned mbufs = 2047;
  constexpr unsigned cache_mbufs = 256;
  rte_mempool* pool = rte_pktmbuf_pool_create("packets", mbufs, cache_mbufs, 0,
                                              RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool == nullptr) throw std::runtime_error("no memory for packet buffers");
  return *pool;
}

size_t collect(pipeline::ExpiryRing& ring) {
  size_t records = 0;
  while (const auto count = static_cast<unsigned>(ring.front(ring.records_max).size())) {
    ring.drop_front(count);
    records += count;
  }
  return records;
}

}  // namespace pollflow::test
