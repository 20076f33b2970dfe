#include "port/rss_setup.hpp"

#include <fmt/format.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>

#include "port/driver_preset.hpp"

namespace pollflow::port {
namespace {

using Reta = std::vector<rte_eth_rss_reta_entry64>;

Reta reta_of(const std::vector<uint16_t>& queue_of_entry) {
  Reta reta((queue_of_entry.size() + RTE_ETH_RETA_GROUP_SIZE - 1) / RTE_ETH_RETA_GROUP_SIZE);
  for (size_t i = 0; i < queue_of_entry.size(); ++i) {
    reta[i / RTE_ETH_RETA_GROUP_SIZE].mask |= uint64_t{1} << i % RTE_ETH_RETA_GROUP_SIZE;
    reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] = queue_of_entry[i];
  }
  return reta;
}

}  // namespace

bool write_even_reta(uint16_t port, unsigned entries, uint16_t queues) {
  const std::vector<uint16_t> wanted = even_reta(entries, queues);
  Reta reta = reta_of(wanted);
  const auto size = static_cast<uint16_t>(entries);
  if (rte_eth_dev_rss_reta_update(port, reta.data(), size) != 0) return false;
  for (auto& group : reta)
    std::ranges::fill(group.reta, UINT16_MAX);
  if (rte_eth_dev_rss_reta_query(port, reta.data(), size) != 0) return false;
  for (unsigned i = 0; i < entries; ++i) {
    if (reta[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE] != wanted[i])
      return false;
  }
  return true;
}

void read_back(uint16_t port, const RssKey& key, RssGrant& grant) {
  std::array<uint8_t, UINT8_MAX> there{};
  rte_eth_rss_conf conf{.rss_key = there.data(), .rss_key_len = there.size(), .rss_hf = 0};
  if (rte_eth_dev_rss_hash_conf_get(port, &conf) != 0) return;
  if (conf.rss_hf != 0) grant.types &= conf.rss_hf;
  // Drivers that have no way to ask the device leave the buffer as it was.
  if (key.empty() || std::ranges::all_of(there, [](uint8_t byte) { return byte == 0; })) return;
  grant.key =
      std::equal(key.begin(), key.end(), there.begin()) ? KeyReadBack::same : KeyReadBack::differs;
}

std::string describe(const RssGrant& grant) {
  if (grant.types == 0) return "no RSS";
  const auto key_words = [&]() -> const char* {
    switch (grant.key) {
      case KeyReadBack::same:
        return "read back: the same";
      case KeyReadBack::differs:
        return "read back: another one";
      case KeyReadBack::not_told:
        break;
    }
    return "the device does not let it be read back";
  };
  std::string text = fmt::format("RSS on {}", rss_type_names(grant.types));
  text += grant.key_bytes == 0
              ? std::string(", no key can be set")
              : fmt::format(", key of {} bytes ({})", grant.key_bytes, key_words());
  text += grant.reta_entries == 0
              ? std::string(", RETA left to the driver")
              : fmt::format(", RETA of {} entries{}", grant.reta_entries,
                            grant.reta_even ? ", filled evenly" : ", as the driver filled it");
  text +=
      grant.hash_delivered ? ", the hash comes with each packet" : ", hash computed in software";
  return text;
}

std::vector<std::string> warnings(const RssGrant& grant, uint16_t queues, bool spread_elsewhere) {
  std::vector<std::string> all;
  if (grant.types == 0) {
    if (queues == 1 && !spread_elsewhere)
      all.emplace_back("the device has no RSS: one queue, so one worker has all of its packets");
    return all;
  }
  if (queues == 1) return all;
  if (grant.key_bytes == 0)
    all.emplace_back(
        "the device takes no RSS key: a sender who knows its own can aim at one queue");
  if (grant.key == KeyReadBack::differs)
    all.emplace_back(
        "the device uses another RSS key than the one set: a sender who knows it can aim at one "
        "queue");
  if (grant.reta_entries > 0 && !grant.reta_even)
    all.emplace_back("the RETA could not be written and read back: queues may get uneven shares");
  return all;
}

}  // namespace pollflow::port
