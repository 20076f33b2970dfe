#include "options.hpp"

#include <fmt/format.h>
#include <rte_config.h>

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

#include "boost_words.hpp"
#include "failure.hpp"
#include "pairs.hpp"
#include "whole_number.hpp"

namespace po = boost::program_options;

namespace pollflow::app {
namespace {

int64_t seconds_in_ms(const std::string& text) {
  return checked_number<int64_t>(text, 1, timeout_s_max) * 1000;
}

exporter::CollectorAddress host_and_port(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    throw BadValue(fmt::format("'{}' is not HOST:PORT, such as 192.0.2.1:2055", text));
  }
  std::string host = text.substr(0, colon);
  const std::string port = text.substr(colon + 1);
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    throw BadValue(
        fmt::format("'{}': an IPv6 address stands in brackets, such as [2001:db8::1]:2055", text));
  }
  if (host.empty()) throw BadValue(fmt::format("'{}' names no host", text));
  try {
    return {host, fmt::to_string(checked_number<uint16_t>(port, 1, UINT16_MAX))};
  } catch (const BadValue& bad) {
    throw BadValue(fmt::format("port {}", bad.what()));
  }
}

void set_ifindex(Options& options, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos)
    throw BadValue(fmt::format("'{}' is not PORT=INDEX, such as 0=12", text));
  const auto port =
      checked_number<uint16_t>(std::string_view(text).substr(0, equals), 0, UINT16_MAX - 1);
  const auto index =
      checked_number<uint16_t>(std::string_view(text).substr(equals + 1), 1, UINT16_MAX);
  if (!options.ifindex.emplace(port, index).second)
    throw BadValue(fmt::format("port {} has one already", port));
}

void set_pair(Options& options, const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos)
    throw BadValue(fmt::format("'{}' is not PORT=PORT, such as 0=1", text));
  const auto one =
      checked_number<uint16_t>(std::string_view(text).substr(0, equals), 0, UINT16_MAX - 1);
  const auto other =
      checked_number<uint16_t>(std::string_view(text).substr(equals + 1), 0, UINT16_MAX - 1);
  if (one == other)
    throw BadValue(fmt::format("'{}' pairs port {} with itself; give two ports", text, one));
  for (const uint16_t port : {one, other}) {
    const auto paired = options.pairs.find(port);
    if (paired == options.pairs.end()) continue;
    throw BadValue(fmt::format("port {} is in a pair with port {} already", port, paired->second));
  }
  options.pairs.emplace(one, other);
  options.pairs.emplace(other, one);
}

// What is wrong with a secret is said without it: sentences end in logs, and a mistyped one is
// nearly the right one.
port::RssKey rss_key(const std::string& text) {
  if (text == "random") return {};
  constexpr size_t bytes_min = 16;  // an IPv4 4-tuple and the hash
  port::RssKey key = port::parse_rss_key(text);
  if (key.size() < bytes_min) {
    throw BadValue(fmt::format(
        "what it was given is neither random nor at least {} bytes in hexadecimal", bytes_min));
  }
  return key;
}

uint64_t hash_seed(const std::string& text) {
  if (const auto seed = whole_number<uint64_t>(text, 0, UINT64_MAX)) return *seed;
  throw BadValue(fmt::format("what it was given is neither random nor a whole number from 0 to {}",
                             UINT64_MAX));
}

bool truth(const std::string& text) {
  if (text == "true") return true;
  if (text == "false") return false;
  throw BadValue(fmt::format("'{}' is neither true nor false", text));
}

std::string user_name(const std::string& text) {
  if (text.empty()) throw BadValue("names no user");
  return text;
}

std::string file_name(const std::string& text) {
  if (text.empty()) throw BadValue("names no file");
  return text;
}

// The other names of standard output are made "-" too: opened anew they would overwrite each other.
std::string output_name(const std::string& text) {
  const bool standard_output =
      text == "/dev/stdout" || text == "/dev/fd/1" || text == "/proc/self/fd/1";
  return standard_output ? "-" : file_name(text);
}

struct Setting {
  const char* name;
  const char* argument;  // how --help calls the value; nullptr: a switch
  const char* help;
  void (*apply)(Options&, const std::string& value);  // throws BadValue
  bool repeatable = false;
  bool in_file = true;
  bool may_stand_alone = false;  // then it is true
};

constexpr std::array settings = {
    Setting{"read", "FILE", "read a capture in capture time, flush, print the ledger, exit",
            [](Options& o, const std::string& v) { o.read = file_name(v); }},
    Setting{"collector", "HOST:PORT", "send NetFlow v5 there; repeat to replicate",
            [](Options& o, const std::string& v) { o.collectors.push_back(host_and_port(v)); },
            true},
    Setting{"flows-out", "FILE", "write each exported record as CSV, - for standard output",
            [](Options& o, const std::string& v) { o.flows_out = output_name(v); }},
    Setting{
        "inactive-timeout", "S", "a flow ends after S seconds without a packet (15)",
        [](Options& o, const std::string& v) { o.expiry.inactive_timeout_ms = seconds_in_ms(v); }},
    Setting{
        "active-timeout", "S", "a flow is exported once it is S seconds old (1800)",
        [](Options& o, const std::string& v) { o.expiry.active_timeout_ms = seconds_in_ms(v); }},
    Setting{"hold-idle", nullptr,
            "keep idle flows of more than 4 packets until tables are 3/4 full",
            [](Options& o, const std::string& v) { o.expiry.hold_idle = truth(v); }},
    Setting{"max-flows", "N", "flows held in all tables together (1048576)",
            [](Options& o, const std::string& v) {
              o.flows = checked_number(v, flows_min, flows_max);
            }},
    Setting{"engine-type", "N", "engine type in the v5 header (0)",
            [](Options& o, const std::string& v) {
              o.assembler.engine_type = checked_number<uint8_t>(v, 0, UINT8_MAX);
            }},
    Setting{"engine-id", "N", "engine id in the v5 header (0)",
            [](Options& o, const std::string& v) {
              o.assembler.engine_id = checked_number<uint8_t>(v, 0, UINT8_MAX);
            }},
    Setting{"ifindex", "PORT=INDEX", "input ifindex of a port (port number + 1)", set_ifindex,
            true},
    Setting{"routes", "FILE|kernel", "next hop, output ifindex, masks and AS by these routes",
            [](Options& o, const std::string& v) { o.routes = file_name(v); }},
    Setting{"pair", "PORT=PORT", "what comes in by one goes out by the other, unless a route says",
            set_pair, true},
    Setting{"export-lcore", "N", "the lcore that exports (the last; of two the main one)",
            [](Options& o, const std::string& v) {
              o.export_lcore = checked_number<unsigned>(v, 0, RTE_MAX_LCORE - 1);
            }},
    Setting{"rss-key", "random|HEX", "the NICs' Toeplitz key (random)",
            [](Options& o, const std::string& v) { o.rss_key = rss_key(v); }},
    Setting{"driver-config", "DIR", "presets DIR/DRIVER.conf win over those built in",
            [](Options& o, const std::string& v) { o.driver_config = file_name(v); }},
    Setting{"export-delay", "MS", "a partial datagram leaves after MS milliseconds (1000)",
            [](Options& o, const std::string& v) {
              o.export_delay_ms = checked_number<int64_t>(v, 0, 3'600'000);
            }},
    Setting{"export-rate", "N", "at most N records a second, 0: no limit (0)",
            [](Options& o, const std::string& v) {
              o.export_rate = checked_number<uint64_t>(v, 0, 1'000'000'000);
            }},
    Setting{"max-records", "N", "at most N records in a datagram, 1 to 30 (30)",
            [](Options& o, const std::string& v) {
              o.assembler.records_max = checked_number<unsigned>(v, 1, netflow::v5_records_max);
            }},
    Setting{"hash-seed", "random|N", "the tables' secret (0 with --read, else random)",
            [](Options& o, const std::string& v) {
              o.hash_random = v == "random";
              o.hash_secret.reset();
              if (!o.hash_random) o.hash_secret = hash_seed(v);
            }},
    Setting{"skip-own-export", "true|false", "skip pollflow's own datagrams, and count them (true)",
            [](Options& o, const std::string& v) { o.skip_own_export = truth(v); }, false, true,
            true},
    Setting{"user", "NAME", "become this user once ports and files are open, if started as root",
            [](Options& o, const std::string& v) { o.user = user_name(v); }},
    Setting{"seccomp", "true|false", "after start, allow only needed system calls (true)",
            [](Options& o, const std::string& v) { o.seccomp = truth(v); }, false, true, true},
    Setting{"ledger", "FILE", "write the ledger as JSON at exit, - for standard output",
            [](Options& o, const std::string& v) { o.ledger = output_name(v); }},
    Setting{"metrics", "HOST:PORT",
            "serve counters to Prometheus there, as http://HOST:PORT/metrics",
            [](Options& o, const std::string& v) { o.metrics = host_and_port(v); }},
    Setting{"config", "FILE", "read options from FILE; the command line wins",
            [](Options& o, const std::string& v) { o.config = file_name(v); }, false, false},
    Setting{"check-config", nullptr, "check options and configuration file, then exit",
            [](Options& o, const std::string& v) { o.check_config = truth(v); }, false, false},
    Setting{"dry-run", nullptr, "set ports up, print layout and what they can do, then exit",
            [](Options& o, const std::string& v) { o.dry_run = truth(v); }, false, false},
    Setting{"help", nullptr, "print this",
            [](Options& o, const std::string& v) { o.help = truth(v); }, false, false},
    Setting{"version", nullptr, "print the version",
            [](Options& o, const std::string& v) { o.version = truth(v); }, false, false},
};

po::options_description description(bool for_file) {
  po::options_description all{"Options", 100, 60};
  for (const Setting& setting : settings) {
    if (for_file && !setting.in_file) continue;
    if (setting.argument == nullptr && !for_file) {
      all.add_options()(setting.name, setting.help);
    } else {
      auto* value = po::value<std::string>();
      if (setting.argument != nullptr) value->value_name(setting.argument);
      if (setting.may_stand_alone && !for_file)
        value->implicit_value("true", "");  // "": as help shows it
      all.add_options()(setting.name, value, setting.help);
    }
  }
  return all;
}

// Applies what was parsed, in its order; `where` names the configuration file.
void apply(const po::parsed_options& parsed, const std::string& where, ExitCode code,
           Options& options) {
  std::set<std::string> seen;
  for (const po::option& given : parsed.options) {
    const auto* setting = std::ranges::find_if(
        settings, [&](const Setting& s) { return s.name == given.string_key; });
    if (setting == settings.end() || given.unregistered) {
      throw Failure(
          code,
          fmt::format("{}unknown key '{}'; docs/reference/options.md says which keys there are",
                      where, given.string_key));
    }
    if (!seen.insert(given.string_key).second && !setting->repeatable) {
      throw Failure(code,
                    fmt::format("{}--{} is given twice; once is enough", where, setting->name));
    }
    try {
      setting->apply(options, given.value.empty() ? "true" : given.value.front());
    } catch (const BadValue& bad) {
      throw Failure(code, fmt::format("{}--{}: {}", where, setting->name, bad.what()));
    }
  }
}

po::parsed_options parse_arguments(const std::vector<std::string>& arguments) {
  namespace style = po::command_line_style;
  try {
    const po::options_description all = description(false);
    // No description of positional arguments: they are collected, to be named below.
    po::parsed_options parsed = po::command_line_parser(arguments)
                                    .options(all)
                                    .style(style::unix_style & ~style::allow_guessing)
                                    .run();
    for (const po::option& given : parsed.options) {
      if (given.position_key < 0) continue;
      throw Failure(
          ExitCode::usage,
          fmt::format("what is '{}'? A capture is given by --read FILE; EAL options stand "
                      "before -- (see pollflow --help)",
                      given.value.front()));
    }
    return parsed;
  } catch (const po::error& error) {
    throw Failure(ExitCode::usage, fmt::format("{} (see pollflow --help)", boost_words(error)));
  }
}

// Which line of the file is none, as Boost reads it: without a comment, neither empty nor a section
// nor a setting. Its key, but not what follows.
std::string broken_line(const std::string& path) {
  constexpr const char* blanks = " \t\r\n\v\f";
  std::ifstream file(path);
  std::string line;
  for (unsigned number = 1; std::getline(file, line); ++number) {
    line.erase(std::min(line.find('#'), line.size()));
    line.erase(line.find_last_not_of(blanks) + 1);
    line.erase(0, line.find_first_not_of(blanks));
    const bool section = line.starts_with('[') && line.ends_with(']');
    if (line.empty() || section || line.find('=') != std::string::npos) continue;
    const size_t key_end = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz-");
    return fmt::format("line {} ('{}') has no '='", number, line.substr(0, key_end));
  }
  return "a line has no '='";
}

po::parsed_options parse_file(const std::string& path) {
  std::ifstream file(path);
  const int why = file ? EISDIR : errno;
  if (!file || std::filesystem::is_directory(path)) {
    throw Failure(why == EACCES ? ExitCode::no_permission : ExitCode::configuration,
                  fmt::format("--config {}: cannot be read ({}); give a file of lines key = value",
                              path, std::strerror(why)));
  }
  try {
    const po::options_description keys = description(true);
    return po::parse_config_file(file, keys, true);
  } catch (const po::invalid_config_file_syntax&) {
    // Boost quotes the line, which may hold a secret.
    throw Failure(ExitCode::configuration,
                  fmt::format("--config {}: {}; a line is key = value", path, broken_line(path)));
  } catch (const po::error& error) {
    throw Failure(ExitCode::configuration,
                  fmt::format("--config {}: {}; a line is key = value", path, boost_words(error)));
  }
}

bool same_file(const std::string& a, const std::string& b) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::is_other(fs::status(a, error))) return false;  // such as /dev/null
  if (fs::equivalent(a, b, error)) return true;
  const fs::path whole_a = fs::weakly_canonical(a, error);
  return !error && whole_a == fs::weakly_canonical(b, error) && !error;
}

// A file that is read must not be one that is written.
void check_not_overwritten(const std::string& input, const char* what, const Options& options) {
  for (const std::string& output : {options.flows_out, options.ledger}) {
    if (input.empty() || output.empty() || output == "-" || !same_file(output, input)) continue;
    throw Failure(ExitCode::usage,
                  fmt::format("{} is {}; writing to it would destroy it", output, what));
  }
}

}  // namespace

uint16_t Options::in_if(uint16_t port) const {
  const auto set = ifindex.find(port);
  return set != ifindex.end() ? set->second : static_cast<uint16_t>(port + 1);
}

void check_together(const Options& options) {
  const bool both_out = !options.flows_out.empty() && !options.ledger.empty();
  if (both_out && options.flows_out == "-" && options.ledger == "-") {
    throw Failure(ExitCode::usage,
                  "--flows-out and --ledger cannot both be written to standard output; "
                  "give one of them a file");
  }
  if (both_out && options.flows_out != "-" && same_file(options.flows_out, options.ledger)) {
    throw Failure(ExitCode::usage,
                  fmt::format("--flows-out and --ledger are the same file, {}; give each its own",
                              options.ledger));
  }
  // A file that the shell writes standard output to is the same as any other.
  check_not_overwritten("/dev/stdout", "where standard output goes", options);
  check_not_overwritten(options.read, "the capture that --read reads", options);
  check_not_overwritten(options.config, "the configuration file", options);
  if (options.routes != "kernel")
    check_not_overwritten(options.routes, "the file of routes", options);
  if (options.dry_run && !options.read.empty())
    throw Failure(ExitCode::usage, "--dry-run is for live ports; with --read leave it out");
  if (options.metrics && !options.read.empty())
    throw Failure(ExitCode::usage, "--metrics is for live ports; with --read leave it out");
  for (const auto& [port, index] : options.ifindex) {
    if (options.read.empty() || port == 0) continue;
    throw Failure(ExitCode::usage,
                  fmt::format("--ifindex {}={}: with --read there is port 0 only", port, index));
  }
  check_pairs(options);
}

CommandLine parse_command_line(const std::vector<std::string>& arguments) {
  CommandLine line{.arguments = arguments};
  const auto separator = std::ranges::find(arguments, "--");
  const bool has_eal = line.has_eal = separator != arguments.end();
  if (has_eal) line.eal.assign(arguments.begin(), separator);
  const po::parsed_options given =
      parse_arguments({has_eal ? separator + 1 : arguments.begin(), arguments.end()});

  // The command line twice: first for --config, then again to win over what the file says.
  Options from_line;
  apply(given, "", ExitCode::usage, from_line);
  line.options = from_line;
  if (!from_line.config.empty()) {
    line.options = {};
    apply(parse_file(from_line.config), fmt::format("--config {}: ", from_line.config),
          ExitCode::configuration, line.options);
    if (!from_line.collectors.empty()) line.options.collectors.clear();
    for (const auto& [port, index] : from_line.ifindex)
      line.options.ifindex.erase(port);
    drop_pairs_of(from_line.pairs, line.options.pairs);
    apply(given, "", ExitCode::usage, line.options);
  }
  check_together(line.options);
  return line;
}

std::string help_text() {
  std::ostringstream options;
  options << description(false);
  return "pollflow turns packets into NetFlow v5, unsampled, and accounts for every one of "
         "them.\n\n"
         "  pollflow --read FILE.pcap [options]     a capture: no NIC, no huge pages, no root\n"
         "  pollflow [EAL options] -- [options]     live ports: EAL's -a or --vdev names them, its "
         "-l "
         "or --lcores\n"
         "                                          lays out the cores; with --read FILE: the same "
         "for a capture\n\n" +
         options.str() +
         "\nExit codes: 0 done, 1 failed at run time or ledger does not add up, 64 usage, 66 no "
         "such input,\n"
         "69 no device, 73 cannot create output, 77 permission, 78 configuration.\n";
}

}  // namespace pollflow::app
