// Preloaded into pollflow by test_secrets.py: port 0 takes an RSS key of 40 bytes, gives it back
// when asked, and writes it, in hexadecimal, to the file $POLLFLOW_PORT_KEY.

#include <dlfcn.h>
#include <rte_ethdev.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

std::array<uint8_t, 40> port_key;

template <typename Function>
Function* real(Function*, const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" int rte_eth_dev_info_get(uint16_t port, rte_eth_dev_info* info) {
  const int result = real(&rte_eth_dev_info_get, "rte_eth_dev_info_get")(port, info);
  info->hash_key_size = port_key.size();
  return result;
}

extern "C" int rte_eth_dev_configure(uint16_t port, uint16_t rx_queues, uint16_t tx_queues,
                                     const rte_eth_conf* conf) {
  const rte_eth_rss_conf& rss = conf->rx_adv_conf.rss_conf;
  FILE* told = std::fopen(std::getenv("POLLFLOW_PORT_KEY"), "w");
  if (told == nullptr || rss.rss_key_len != port_key.size()) return -1;
  std::memcpy(port_key.data(), rss.rss_key, port_key.size());
  for (const uint8_t byte : port_key)
    std::fprintf(told, "%02x", byte);
  std::fclose(told);
  return real(&rte_eth_dev_configure, "rte_eth_dev_configure")(port, rx_queues, tx_queues, conf);
}

extern "C" int rte_eth_dev_rss_hash_conf_get(uint16_t, rte_eth_rss_conf* conf) {
  std::memcpy(conf->rss_key, port_key.data(), port_key.size());
  return 0;
}
