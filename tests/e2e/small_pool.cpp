// Preloaded into pollflow by test_fault_lcores.py: every pool of packet buffers has only so many as
// $POLLFLOW_BUFFERS says, which are fewer than a burst.

#include <dlfcn.h>
#include <rte_mbuf.h>

#include <cstdlib>

extern "C" rte_mempool* rte_pktmbuf_pool_create(const char* name, unsigned, unsigned,
                                                uint16_t private_bytes, uint16_t data_bytes,
                                                int node) {
  using Create = rte_mempool* (*)(const char*, unsigned, unsigned, uint16_t, uint16_t, int);
  static const auto real = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "rte_pktmbuf_pool_create"));
  const char* buffers = std::getenv("POLLFLOW_BUFFERS");
  return real(name, static_cast<unsigned>(std::atoi(buffers == nullptr ? "1" : buffers)), 0,
              private_bytes, data_bytes, node);
}
