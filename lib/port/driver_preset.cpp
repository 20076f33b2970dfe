#include "port/driver_preset.hpp"

#include <fmt/format.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <string_view>

#include "boost_words.hpp"
#include "built_in_presets.hpp"
#include "failure.hpp"
#include "port/burst.hpp"
#include "whole_number.hpp"

namespace po = boost::program_options;

namespace pollflow::port {
namespace {

struct NamedBit {
  std::string_view name;
  uint64_t bit;
};

constexpr std::array rss_type_table = {NamedBit{"ipv4", RTE_ETH_RSS_IPV4},
                                       NamedBit{"ipv4-frag", RTE_ETH_RSS_FRAG_IPV4},
                                       NamedBit{"ipv4-tcp", RTE_ETH_RSS_NONFRAG_IPV4_TCP},
                                       NamedBit{"ipv4-udp", RTE_ETH_RSS_NONFRAG_IPV4_UDP},
                                       NamedBit{"ipv4-sctp", RTE_ETH_RSS_NONFRAG_IPV4_SCTP},
                                       NamedBit{"ipv4-other", RTE_ETH_RSS_NONFRAG_IPV4_OTHER},
                                       NamedBit{"ipv6", RTE_ETH_RSS_IPV6},
                                       NamedBit{"ipv6-frag", RTE_ETH_RSS_FRAG_IPV6},
                                       NamedBit{"ipv6-tcp", RTE_ETH_RSS_NONFRAG_IPV6_TCP},
                                       NamedBit{"ipv6-udp", RTE_ETH_RSS_NONFRAG_IPV6_UDP},
                                       NamedBit{"ipv6-other", RTE_ETH_RSS_NONFRAG_IPV6_OTHER}};

constexpr std::array offload_table = {NamedBit{"rss-hash", RTE_ETH_RX_OFFLOAD_RSS_HASH},
                                      NamedBit{"scatter", RTE_ETH_RX_OFFLOAD_SCATTER}};

bool yes(const std::string& text) {
  if (text == "yes") return true;
  if (text == "no") return false;
  throw BadValue(fmt::format("'{}' is neither yes nor no", text));
}

template <size_t size>
uint64_t bits(const std::string& text, const std::array<NamedBit, size>& table) {
  uint64_t all = 0;
  std::istringstream words(text == "none" ? "" : text);
  for (std::string word; words >> word;) {
    const auto* known = std::ranges::find(table, word, &NamedBit::name);
    if (known == table.end()) {
      std::string names = "none";
      for (const NamedBit& each : table)
        names.append(" ").append(each.name);
      throw BadValue(fmt::format("'{}' is none of: {}", word, names));
    }
    all |= known->bit;
  }
  return all;
}

QueuePolicy queue_policy(const std::string& text) {
  if (text == "workers") return QueuePolicy::workers;
  if (text == "all") return QueuePolicy::all;
  if (text == "power-of-two") return QueuePolicy::power_of_two;
  if (text == "one") return QueuePolicy::one;
  throw BadValue(fmt::format("'{}' is none of: workers all power-of-two one", text));
}

struct Key {
  const char* name;
  void (*apply)(DriverPreset&, const std::string& value);  // throws BadValue
};

constexpr std::array keys = {
    Key{"rx-descriptors",
        [](DriverPreset& p, const std::string& v) {
          p.rx_descriptors = checked_number<uint16_t>(v, 32, 32768);
        }},
    Key{"buffers-per-descriptor",
        [](DriverPreset& p, const std::string& v) {
          p.buffers_per_descriptor = checked_number<uint16_t>(v, 1, 4);
        }},
    Key{"burst",
        [](DriverPreset& p, const std::string& v) {
          p.burst = checked_number<uint16_t>(v, 8, burst_packets_max);
        }},
    Key{"queues", [](DriverPreset& p, const std::string& v) { p.queues = queue_policy(v); }},
    Key{"rss-types",
        [](DriverPreset& p, const std::string& v) { p.rss_types = bits(v, rss_type_table); }},
    Key{"offloads",
        [](DriverPreset& p, const std::string& v) { p.offloads = bits(v, offload_table); }},
    Key{"mtu",
        [](DriverPreset& p, const std::string& v) {
          p.mtu =
              v == "keep" ? std::nullopt : std::optional(checked_number<uint16_t>(v, 68, 16384));
        }},
    Key{"promiscuous", [](DriverPreset& p, const std::string& v) { p.promiscuous = yes(v); }},
    Key{"reta", [](DriverPreset& p, const std::string& v) { p.reta = yes(v); }},
};

po::parsed_options parse_lines(const std::string& text) {
  po::options_description known;
  for (const Key& key : keys)
    known.add_options()(key.name, po::value<std::string>());
  std::istringstream lines(text);
  return po::parse_config_file(lines, known);
}

[[noreturn]] void cannot_read(const std::filesystem::path& path, int error) {
  throw Failure(error == EACCES ? ExitCode::no_permission : ExitCode::configuration,
                fmt::format("--driver-config: {}: cannot be read ({}); it wants a folder of files "
                            "such as drivers-config/default.conf",
                            path.string(), std::strerror(error)));
}

// The text of a preset, nullopt when there is no such file.
std::optional<std::string> read_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) return std::nullopt;
  if (error) cannot_read(path, error.value());
  if (!is_regular_file(status)) cannot_read(path, EISDIR);
  errno = 0;
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) cannot_read(path, errno);
  return text;
}

const BuiltInPreset* built_in(std::string_view driver) {
  const auto* found = std::ranges::find(built_in_presets, driver, &BuiltInPreset::driver);
  return found == std::end(built_in_presets) ? nullptr : found;
}

}  // namespace

DriverPreset parse_preset(const std::string& text, const std::string& source,
                          const DriverPreset& base) {
  DriverPreset preset = base;
  preset.source = source;
  std::set<std::string> seen;
  try {
    for (const po::option& line : parse_lines(text).options) {
      const auto* key = std::ranges::find_if(
          keys, [&](const Key& known) { return known.name == line.string_key; });
      try {
        if (!seen.insert(line.string_key).second) throw BadValue("is given twice; once is enough");
        key->apply(preset, line.value.front());
      } catch (const BadValue& bad) {
        throw Failure(ExitCode::configuration,
                      fmt::format("{}: {}: {}", source, key->name, bad.what()));
      }
    }
  } catch (const po::error& error) {
    throw Failure(ExitCode::configuration,
                  fmt::format("{}: {}; a line is key = value, see drivers-config/README.md", source,
                              boost_words(error)));
  }
  return preset;
}

DriverPreset preset_for(const std::string& driver, const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!folder.empty() && !fs::is_directory(folder, error))
    cannot_read(folder, error ? error.value() : ENOTDIR);
  // The operator's file, else the one built in, else nothing beyond `base`.
  const auto apply = [&](const std::string& name, const DriverPreset& base) {
    const std::string file = name + ".conf";
    const fs::path path = fs::path(folder) / file;
    const auto own = folder.empty() ? std::nullopt : read_file(path);
    if (own) return parse_preset(*own, path.string(), base);
    const BuiltInPreset* preset = built_in(name);
    return preset == nullptr ? base : parse_preset(std::string(preset->text), file, base);
  };
  const DriverPreset built_in_default = parse_preset(std::string(built_in("default")->text), "");
  return apply(driver, apply("default", built_in_default));
}

std::string rss_type_names(uint64_t types) {
  std::string names;
  for (const NamedBit& each : rss_type_table) {
    if ((types & each.bit) == 0) continue;
    if (!names.empty()) names += ' ';
    names += each.name;
  }
  return names.empty() ? "none" : names;
}

}  // namespace pollflow::port
