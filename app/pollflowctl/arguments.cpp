#include "arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/program_options.hpp>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "boost_words.hpp"
#include "failure.hpp"
#include "joined.hpp"
#include "number_text.hpp"

namespace po = boost::program_options;

namespace pollflow::ctl {
namespace {

struct Command {
  const char* name;
  const char* words;    // how its help writes what stands behind it
  const char* summary;  // one sentence, or more lines
  size_t words_max;
};

constexpr std::array commands = {
    Command{"show", "", "the live flows", 0},
    Command{"top", "", "packets, drops, load of the workers and the busiest flows, again and again",
            0},
    Command{"info", "", "the run as a whole, its workers, ports and collectors", 0},
    Command{"ledger", "", "where every packet is by now; exit code 1 when it does not add up", 0},
    Command{"timeouts", "[INACTIVE ACTIVE]", "read or set the timeouts, in seconds", 2},
    Command{"expire", "", "export live flows now: --filter EXPR or --all", 0},
    Command{"log-level", "[[TYPE] LEVEL]",
            "read or set EAL's log level: a name or 1 to 8; TYPE such as pmd.*", 2},
    Command{"routes", "[reload]", "the prefix table in force, or read it anew", 1},
};

struct Setting {
  const char* name;
  const char* argument;  // how --help calls the value; nullptr: a switch
  const char* help;
  const char* commands;  // that know it, each behind a space; empty: all
  void (*apply)(Arguments&, const std::string& value);  // throws BadValue
};

std::string not_empty(const std::string& text) {
  if (text.empty()) throw BadValue("is empty");
  return text;
}

// EAL makes a folder of this name.
std::string prefix_name(const std::string& text) {
  if (text.empty() || text.find('/') != std::string::npos || text == "." || text == "..")
    throw BadValue(fmt::format("'{}' is no EAL prefix; give what pollflow was started with", text));
  return text;
}

std::string filter(const std::string& text) {
  if (text.find_first_not_of(' ') == std::string::npos)
    throw BadValue("is empty; give terms such as 'host 10.0.0.1 and tcp'");
  if (text.find(',') != std::string::npos)
    throw BadValue(fmt::format("'{}' has a comma; terms are joined by 'and'", text));
  return text;
}

Order order(const std::string& text) {
  if (text == "octets") return Order::octets;
  if (text == "packets") return Order::packets;
  if (text == "age") return Order::age;
  throw BadValue(fmt::format("'{}' is none of octets, packets, age", text));
}

void set_format(Arguments& arguments, Format format) {
  if (arguments.format != Format::text)
    throw BadValue("does not go with the other format; give one of --json, --csv");
  arguments.format = format;
}

constexpr std::array settings = {
    Setting{"file-prefix", "PREFIX", "EAL's --file-prefix of the pollflow to ask (rte)", "",
            [](Arguments& a, const std::string& v) { a.file_prefix = prefix_name(v); }},
    Setting{"socket", "PATH", "its telemetry socket, wherever it is", "",
            [](Arguments& a, const std::string& v) { a.socket = not_empty(v); }},
    Setting{"help", nullptr, "print this, or a command's usage", "",
            [](Arguments& a, const std::string&) { a.help = true; }},
    Setting{"version", nullptr, "print the version", "",
            [](Arguments& a, const std::string&) { a.version = true; }},
    Setting{"top", "N", "the N first flows only", " show",
            [](Arguments& a, const std::string& v) {
              a.top = checked_number<uint64_t>(v, 1, 1'000'000'000);
            }},
    Setting{"by", "ORDER", "octets, packets or age, most first (octets with --top)", " show",
            [](Arguments& a, const std::string& v) { a.by = order(v); }},
    Setting{"filter", "EXPR", "flows that match, such as 'src net 10.0.0.0/8 and dst port 443'",
            " show expire", [](Arguments& a, const std::string& v) { a.filter = filter(v); }},
    Setting{"all", nullptr, "every flow", " expire",
            [](Arguments& a, const std::string&) { a.all = true; }},
    Setting{"interval", "S", "seconds from one screen to the next, 0.1 to 3600 (1)", " top",
            [](Arguments& a, const std::string& v) { a.interval_s = decimal_in(v, 0.1, 3600); }},
    Setting{"once", nullptr, "one screen after one interval, then exit", " top",
            [](Arguments& a, const std::string&) { a.once = true; }},
    Setting{"json", nullptr, "print JSON", " show info ledger timeouts expire log-level routes",
            [](Arguments& a, const std::string&) { set_format(a, Format::json); }},
    Setting{"csv", nullptr, "print CSV", " show",
            [](Arguments& a, const std::string&) { set_format(a, Format::csv); }},
};

bool knows(const Setting& setting, std::string_view command) {
  const std::string list = fmt::format("{} ", setting.commands);
  return list == " " || list.find(fmt::format(" {} ", command)) != std::string::npos;
}

// The options that `chosen` wants.
po::options_description description(const char* title,
                                    bool (*chosen)(const Setting&, std::string_view),
                                    std::string_view command) {
  po::options_description all{title, 100, 60};
  for (const Setting& setting : settings) {
    if (!chosen(setting, command)) continue;
    if (setting.argument == nullptr) {
      all.add_options()(setting.name, setting.help);
    } else {
      all.add_options()(setting.name, po::value<std::string>()->value_name(setting.argument),
                        setting.help);
    }
  }
  return all;
}

const Command& find_command(const std::string& name) {
  const auto* found =
      std::ranges::find_if(commands, [&](const Command& c) { return name == c.name; });
  if (found != commands.end()) return *found;
  std::vector<std::string_view> names(commands.size());
  std::ranges::transform(commands, names.begin(), [](const Command& c) { return c.name; });
  throw Failure(ExitCode::usage, fmt::format("'{}' is no command; there are {} (see pollflowctl "
                                             "--help)",
                                             name, joined(names, ", ")));
}

// Applies the options, collects the words.
void apply(const po::parsed_options& parsed, Arguments& arguments, std::set<std::string>& given) {
  for (const po::option& option : parsed.options) {
    if (option.position_key >= 0) {
      const std::string& word = option.value.front();
      if (arguments.command.empty()) {
        arguments.command = find_command(word).name;
      } else {
        arguments.words.push_back(word);
      }
      continue;
    }
    const auto* setting = std::ranges::find_if(
        settings, [&](const Setting& s) { return s.name == option.string_key; });
    if (!given.insert(option.string_key).second)
      throw Failure(ExitCode::usage,
                    fmt::format("--{} is given twice; once is enough", setting->name));
    try {
      setting->apply(arguments, option.value.empty() ? "" : option.value.front());
    } catch (const BadValue& bad) {
      throw Failure(ExitCode::usage, fmt::format("--{}: {}", setting->name, bad.what()));
    }
  }
}

// What is each right must go together, too.
void check_together(const Arguments& arguments, const std::set<std::string>& given) {
  if (given.contains("file-prefix") && given.contains("socket"))
    throw Failure(ExitCode::usage, "--file-prefix and --socket both say whom to ask; give one");
  if (arguments.help || arguments.version) return;
  if (arguments.command.empty())
    throw Failure(ExitCode::usage, "no command is given (see pollflowctl --help)");
  for (const Setting& setting : settings) {
    if (!given.contains(setting.name) || knows(setting, arguments.command)) continue;
    throw Failure(ExitCode::usage,
                  fmt::format("--{} is no option of {} (see pollflowctl {} --help)", setting.name,
                              arguments.command, arguments.command));
  }
  const Command& command = find_command(arguments.command);
  if (arguments.words.size() > command.words_max)
    throw Failure(ExitCode::usage, fmt::format("what is '{}'? (see pollflowctl {} --help)",
                                               arguments.words[command.words_max], command.name));
}

}  // namespace

Arguments parse_arguments(const std::vector<std::string>& list) {
  namespace style = po::command_line_style;
  Arguments arguments;
  std::set<std::string> given;
  try {
    const po::options_description all = description(
        "Options", [](const Setting&, std::string_view) { return true; }, "");
    apply(po::command_line_parser(list)
              .options(all)
              .style(style::unix_style & ~style::allow_guessing)
              .run(),
          arguments, given);
  } catch (const po::error& error) {
    throw Failure(ExitCode::usage, fmt::format("{} (see pollflowctl --help)", boost_words(error)));
  }
  check_together(arguments, given);
  return arguments;
}

std::string help_text(const std::string& name) {
  std::ostringstream options;
  options << description(
      "Options of every command",
      [](const Setting& setting, std::string_view) { return *setting.commands == '\0'; }, "");
  if (name.empty()) {
    std::string list;
    for (const Command& command : commands) {
      list += fmt::format("  {:<29} {}\n", fmt::format("{} {}", command.name, command.words),
                          command.summary);
    }
    return fmt::format(
        "pollflowctl asks a running pollflow, by DPDK's telemetry socket.\n\n"
        "  pollflowctl [options] COMMAND [...]\n\nCommands\n{}\n{}\n"
        "pollflowctl COMMAND --help prints the command's own options.\n"
        "Exit codes: 0 done, 1 failed or the ledger does not add up, 64 usage, 69 "
        "no pollflow answers,\n77 permission.\n",
        list, options.str());
  }
  const Command& command = find_command(name);
  const std::string usage = fmt::format("pollflowctl {} {}", command.name, command.words);
  std::ostringstream own;
  own << description(
      "Options",
      [](const Setting& setting, std::string_view of) {
        return *setting.commands != '\0' && knows(setting, of);
      },
      name);
  return fmt::format("  {}{}[options]\n\n{}: {}.\n\n{}\n{}", usage, usage.back() == ' ' ? "" : " ",
                     command.name, command.summary, own.str(), options.str());
}

}  // namespace pollflow::ctl
