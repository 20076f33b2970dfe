// Preloaded into pollflow by test_live.py: port 0 is unplugged from when the file $POLLFLOW_GONE is
// there.

#include <rte_ethdev.h>
#include <unistd.h>

#include <cstdlib>

extern "C" int rte_eth_dev_is_removed(uint16_t port_id) {
  const char* file = std::getenv("POLLFLOW_GONE");
  return port_id == 0 && file != nullptr && access(file, F_OK) == 0 ? 1 : 0;
}
