#include "options.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "support/catch.hpp"

using namespace pollflow;
using app::Options;
using app::parse_command_line;

namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

Options parse(const Arguments& arguments) {
  return parse_command_line(arguments).options;
}

Failure refusal(const Arguments& arguments) {
  try {
    parse_command_line(arguments);
  } catch (const Failure& failure) {
    return failure;
  }
  throw std::logic_error("taken, but should have been refused: " + arguments.front());
}

// Refused with this exit code, by a sentence with all of these parts.
void check_refused(const Arguments& arguments, ExitCode code, const Arguments& parts) {
  const Failure failure = refusal(arguments);
  const std::string sentence = failure.what();
  CAPTURE(sentence);
  CHECK(failure.code == code);
  for (const std::string& part : parts) {
    CAPTURE(part);
    CHECK(sentence.find(part) != std::string::npos);
  }
}

// A folder of its own, in which the test runs.
class Folder {
 public:
  Folder() : before_(fs::current_path()) {
    std::string pattern = (fs::temp_directory_path() / "options-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = fs::canonical(pattern);
    fs::current_path(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    fs::current_path(before_);
    fs::remove_all(path_);
  }

  [[nodiscard]] std::string path(const std::string& name) const { return path_ / name; }
  std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(path(name)) << text;
    return path(name);
  }

 private:
  fs::path before_;
  fs::path path_;
};

struct OptionValues {
  const char* option;
  Arguments good;
  Arguments bad;
  bool may_stand_alone = false;
};

// Values at both ends of what is right, and what is just not.
const std::vector<OptionValues>& option_values() {
  static const Arguments no_number = {"x", "", " 1", "1 ", "1.5", "1e3", "0x1", "+1", "-1", "1k"};
  const auto bad = [](const Arguments& more) {
    Arguments all = no_number;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  static const std::vector<OptionValues> values = {
      {"inactive-timeout", {"1", "15", "2147483"}, bad({"0", "2147484", "9223372036854775808"})},
      {"active-timeout", {"1", "1800", "2147483"}, bad({"0", "2147484", "9223372036854775808"})},
      {"max-flows", {"1", "1048576", "1073741824"}, bad({"0", "1073741825"})},
      {"engine-type", {"0", "255"}, bad({"256", "-256"})},
      {"engine-id", {"0", "255"}, bad({"256", "65536"})},
      {"export-delay", {"0", "1000", "3600000"}, bad({"3600001"})},
      {"export-rate", {"0", "1", "1000000000"}, bad({"1000000001", "18446744073709551616"})},
      {"max-records", {"1", "30"}, bad({"0", "31", "4294967297"})},
      {"hash-seed",
       {"0", "1", "18446744073709551615", "random"},
       bad({"18446744073709551616", "Random", "randomly"})},
      {"collector",
       {"192.0.2.1:2055", "[2001:db8::1]:2055", "a:1", "collector.example:65535"},
       {"", ":", "192.0.2.1", ":2055", "192.0.2.1:", "a:0", "a:65536", "a:-1", "a:+1", "a:http",
        "a:1 ", "2001:db8::1:2055", "[2001:db8::1]", "[2001:db8::1]2055", "[]:2055"}},
      {"metrics",
       {"127.0.0.1:9477", "[::1]:1", "localhost:65535"},
       {"", ":", "9477", ":9477", "127.0.0.1:", "a:0", "a:65536", "::1:9477", "a:9477/metrics"}},
      {"ifindex",
       {"0=1", "0=65535"},
       {"", "=", "0", "0=", "=1", "0=0", "0=65536", "65535=1", "65536=1", "-1=1", "0=-1", "x=1",
        "0=x", "0=1=2", "0:1"}},
      {"pair",
       {"0=1", "7=3", "65534=0"},
       {"", "=", "0", "0=", "=1", "0=0", "0=65535", "65535=1", "-1=1", "0=-1", "x=1", "0=x",
        "0=1=2", "0:1"}},
      {"routes", {"kernel", "routes.txt", "-", "a=b"}, {""}},
      {"read", {"capture.pcap", "-", "a=b"}, {""}},
      {"flows-out", {"flows.csv", "-", "a b"}, {""}},
      {"ledger", {"ledger.json", "-"}, {""}},
      {"skip-own-export", {"true", "false"}, {"yes", "1", "True"}, true},
      {"seccomp", {"true", "false"}, {"off", "0"}, true},
      {"user", {"nobody", "1000"}, {""}},
  };
  return values;
}

}  // namespace

TEST_CASE("without options the defaults are those documented") {
  const Options options = parse({});
  CHECK_FALSE(options.help);
  CHECK_FALSE(options.version);
  CHECK_FALSE(options.check_config);
  CHECK(options.config.empty());
  CHECK(options.read.empty());
  CHECK(options.collectors.empty());
  CHECK(options.flows_out.empty());
  CHECK(options.ledger.empty());
  CHECK_FALSE(options.metrics.has_value());
  CHECK(options.expiry.inactive_timeout_ms == 15'000);
  CHECK(options.expiry.active_timeout_ms == 1'800'000);
  CHECK_FALSE(options.expiry.hold_idle);
  CHECK(options.flows == 1'048'576);
  CHECK(options.assembler.engine_type == 0);
  CHECK(options.assembler.engine_id == 0);
  CHECK(options.assembler.records_max == 30);
  CHECK(options.ifindex.empty());
  CHECK(options.routes.empty());
  CHECK(options.pairs.empty());
  CHECK(options.export_delay_ms == 1000);
  CHECK(options.export_rate == 0);
  CHECK_FALSE(options.hash_secret.has_value());
  CHECK_FALSE(options.hash_random);
}

TEST_CASE("each option arrives where it belongs") {
  const Options options = parse({"--read",
                                 "in.pcap",
                                 "--collector",
                                 "192.0.2.1:2055",
                                 "--collector=[2001:db8::1]:9995",
                                 "--flows-out",
                                 "-",
                                 "--ledger",
                                 "out.json",
                                 "--inactive-timeout",
                                 "7",
                                 "--active-timeout",
                                 "77",
                                 "--hold-idle",
                                 "--max-flows",
                                 "1234",
                                 "--engine-type",
                                 "3",
                                 "--engine-id",
                                 "4",
                                 "--ifindex",
                                 "0=12",
                                 "--routes",
                                 "kernel",
                                 "--export-delay",
                                 "250",
                                 "--export-rate",
                                 "5000",
                                 "--max-records",
                                 "24",
                                 "--hash-seed",
                                 "99",
                                 "--check-config",
                                 "--help",
                                 "--version"});
  CHECK(options.read == "in.pcap");
  REQUIRE(options.collectors.size() == 2);
  CHECK(options.collectors[0].host == "192.0.2.1");
  CHECK(options.collectors[0].port == "2055");
  CHECK(options.collectors[1].host == "2001:db8::1");
  CHECK(options.collectors[1].port == "9995");
  CHECK(options.flows_out == "-");
  CHECK(options.ledger == "out.json");
  CHECK(options.expiry.inactive_timeout_ms == 7000);
  CHECK(options.expiry.active_timeout_ms == 77'000);
  CHECK(options.expiry.hold_idle);
  CHECK(options.flows == 1234);
  CHECK(options.assembler.engine_type == 3);
  CHECK(options.assembler.engine_id == 4);
  CHECK(options.ifindex == std::map<uint16_t, uint16_t>{{0, 12}});
  CHECK(options.routes == "kernel");
  CHECK(options.export_delay_ms == 250);
  CHECK(options.export_rate == 5000);
  CHECK(options.assembler.records_max == 24);
  CHECK(options.hash_secret == std::optional<uint64_t>(99));
  CHECK(options.check_config);
  CHECK(options.help);
  CHECK(options.version);
  CHECK(options.config.empty());
}

TEST_CASE("counters are served of live ports only") {
  CHECK(parse({"--metrics", "[::1]:9477"}).metrics ==
        exporter::CollectorAddress{.host = "::1", .port = "9477"});
  check_refused({"--metrics", "[::1]:9477", "--read", "a"}, ExitCode::usage,
                {"--metrics", "live ports", "--read"});
}

TEST_CASE("the hash seed may be drawn at random") {
  CHECK_FALSE(parse({"--hash-seed", "random"}).hash_secret.has_value());
  CHECK(parse({"--hash-seed", "random"}).hash_random);
  CHECK(parse({"--hash-seed", "18446744073709551615"}).hash_secret == ~uint64_t{0});
}

// What of a bad value has to stand in the refusal: of a value in parts the wrong part is named, of
// a secret nothing.
std::string named_of(const std::string& option, const std::string& value) {
  const bool in_parts = value.find_first_of(":=") != std::string::npos;
  return in_parts || option == "hash-seed" ? "" : value;
}

TEST_CASE("each option takes its good values") {
  for (const auto& [option, good, bad, may_stand_alone] : option_values()) {
    for (const std::string& value : good) {
      CAPTURE(option, value);
      CHECK_NOTHROW(parse({std::string("--") + option, value}));
      CHECK_NOTHROW(parse({std::string("--") + option + "=" + value}));
    }
  }
}

TEST_CASE("each option refuses its bad values as usage, naming itself and the value") {
  for (const auto& [option, good, bad, may_stand_alone] : option_values()) {
    for (const std::string& value : bad) {
      const std::string name = std::string("--") + option;
      CAPTURE(name, value);
      check_refused({name, value}, ExitCode::usage, {name, named_of(option, value)});
    }
  }
}

TEST_CASE("a secret that is mistyped is refused without repeating it, as sentences end in logs") {
  const std::pair<const char*, const char*> mistyped[] = {
      {"--rss-key", "6d5a56da255b0ec24167253d43a38fbO"},
      {"--rss-key", "6d5a56da255b0ec24167253d43a3"},
      {"--hash-seed", "123456789012345678O"},
      {"--hash-seed", "98765432109876543210987"}};
  for (const auto& [option, value] : mistyped) {
    CAPTURE(option, value);
    const std::string sentence = refusal({option, value}).what();
    CHECK(sentence.find(option) != std::string::npos);
    CHECK(sentence.find(std::string(value).substr(0, 12)) == std::string::npos);
  }
}

TEST_CASE("a refused number says what would be right") {
  const auto check = [](const std::string& option, const std::string& value,
                        const std::string& range) {
    check_refused({option, value}, ExitCode::usage, {option, "'" + value + "'", range});
  };
  check("--inactive-timeout", "0", "from 1 to 2147483");
  check("--active-timeout", "2147484", "from 1 to 2147483");
  check("--max-flows", "0", "from 1 to 1073741824");
  check("--engine-type", "256", "from 0 to 255");
  check("--engine-id", "999", "from 0 to 255");
  check("--export-delay", "3600001", "from 0 to 3600000");
  check("--export-rate", "1000000001", "from 0 to 1000000000");
  check("--max-records", "31", "from 1 to 30");
  check_refused({"--collector", "a:70000"}, ExitCode::usage, {"--collector", "70000", "65535"});
  check_refused({"--collector", "a"}, ExitCode::usage, {"--collector", "'a'", "HOST:PORT"});
  check_refused({"--collector", ":2055"}, ExitCode::usage, {"':2055'", "HOST:PORT"});
  check_refused({"--collector", "2001:db8::1:2055"}, ExitCode::usage, {"brackets"});
  check_refused({"--ifindex", "7"}, ExitCode::usage, {"--ifindex", "'7'", "PORT=INDEX"});
  check_refused({"--ifindex", "7=65536"}, ExitCode::usage, {"--ifindex", "'65536'"});
}

TEST_CASE("a refusal is one line, whatever was given") {
  check_refused({"--max-flows", "1\n2"}, ExitCode::usage, {"'1?2' is not a whole number"});
  check_refused({"--\x1b[2J\x7f"}, ExitCode::usage, {"--?[2J?"});
}

TEST_CASE("an option with the name of one of Boost's placeholders is refused like any other") {
  check_refused({"-%original_token%"}, ExitCode::usage,
                {"unrecognised option '-?original_token?'"});
  check_refused({"--%canonical_option%"}, ExitCode::usage, {"--?canonical_option?"});
}

TEST_CASE("an option that wants a value is refused without one, a switch with one") {
  for (const auto& [option, good, bad, may_stand_alone] : option_values()) {
    CAPTURE(option);
    if (may_stand_alone) continue;
    check_refused({std::string("--") + option}, ExitCode::usage, {option});
    check_refused({std::string("--") + option + "="}, ExitCode::usage, {option});
  }
  check_refused({"--config"}, ExitCode::usage, {"config"});
  for (const std::string option : {"hold-idle", "check-config", "help", "version"}) {
    CAPTURE(option);
    check_refused({"--" + option + "=true"}, ExitCode::usage, {option});
    check_refused({"--" + option, "true"}, ExitCode::usage, {"'true'"});
  }
}

TEST_CASE("an option is given once, unless it repeats") {
  const Folder folder;
  const std::string config = folder.file("a.conf", "read = in.pcap\n");
  const std::vector<Arguments> twice = {
      {"--read", "a", "--read", "b"},
      {"--flows-out", "a", "--flows-out", "a"},
      {"--ledger", "a", "--ledger", "b"},
      {"--metrics", "a:1", "--metrics", "b:1"},
      {"--inactive-timeout", "1", "--inactive-timeout=2"},
      {"--active-timeout", "1", "--active-timeout", "2"},
      {"--max-flows", "1", "--max-flows", "1"},
      {"--engine-type", "1", "--engine-type", "1"},
      {"--engine-id", "1", "--engine-id", "1"},
      {"--export-delay", "1", "--export-delay", "1"},
      {"--export-rate", "1", "--export-rate", "1"},
      {"--max-records", "1", "--max-records", "1"},
      {"--hash-seed", "1", "--hash-seed", "random"},
      {"--config", config, "--config", config},
      {"--hold-idle", "--hold-idle"},
      {"--check-config", "--check-config"},
  };
  for (const Arguments& arguments : twice)
    check_refused(arguments, ExitCode::usage, {arguments.front(), "twice"});
  check_refused({"--ifindex", "3=1", "--ifindex", "3=2"}, ExitCode::usage, {"--ifindex", "port 3"});

  CHECK(parse({"--collector", "a:1", "--collector", "a:1"}).collectors.size() == 2);
  CHECK(parse({"--ifindex", "0=9", "--ifindex", "2=9"}).ifindex ==
        std::map<uint16_t, uint16_t>{{0, 9}, {2, 9}});
}

TEST_CASE("what is no option is refused by name: unknown, abbreviated, misspelt, positional") {
  for (const std::string argument :
       {"--nope", "--nope=1", "--max-flow", "--max-flowss", "--coll", "--inactive", "--READ", "-r",
        "-h", "--no-hold-idle", "--routes2", "capture.pcap", "-", "@file", "/read"}) {
    CAPTURE(argument);
    check_refused({argument}, ExitCode::usage, {argument.substr(0, argument.find('=')), "--help"});
    check_refused({argument, "7"}, ExitCode::usage, {"--help"});
  }
  check_refused({"--read", "a.pcap", "b.pcap"}, ExitCode::usage, {"'b.pcap'", "--read FILE"});
  check_refused({""}, ExitCode::usage, {"''"});
}

TEST_CASE("-- ends what is EAL's") {
  const auto split = [](const Arguments& arguments) { return parse_command_line(arguments); };
  CHECK(split({}).eal.empty());
  CHECK(split({"--read", "a"}).eal.empty());
  CHECK(split({"--"}).eal.empty());
  CHECK(split({"--", "--read", "a"}).eal.empty());
  CHECK(split({"--", "--read", "a"}).options.read == "a");

  const auto line = split({"-l", "0,1", "--log-level=debug", "x", "--", "--read", "a"});
  CHECK(line.eal == Arguments{"-l", "0,1", "--log-level=debug", "x"});
  CHECK(line.options.read == "a");
  // Only the first: EAL's part may hold what looks like ours, and ours ends by itself.
  const auto ours_too = split({"--read", "b", "--", "--read", "a", "--"});
  CHECK(ours_too.eal == Arguments{"--read", "b"});
  CHECK(ours_too.options.read == "a");
  check_refused({"-l", "0", "--", "--read", "a", "--", "b"}, ExitCode::usage, {"'b'"});
  check_refused({"-l", "0", "--read", "a"}, ExitCode::usage, {"-l"});
  check_refused({"-l", "0", "--", "-l", "0"}, ExitCode::usage, {"-l"});
}

TEST_CASE("a configuration file holds the long options") {
  const Folder folder;
  const std::string config = folder.file("pollflow.conf",
                                         "# a comment\n"
                                         "\n"
                                         "read = in.pcap\n"
                                         "collector = 192.0.2.1:2055\n"
                                         "  collector=[2001:db8::1]:9995   # the other one\n"
                                         "flows-out = flows.csv\n"
                                         "ledger = -\n"
                                         "inactive-timeout = 7\n"
                                         "active-timeout = 77\r\n"
                                         "hold-idle = true\n"
                                         "max-flows = 1234\n"
                                         "engine-type = 3\n"
                                         "engine-id = 4\n"
                                         "ifindex = 0=12\n"
                                         "export-delay = 250\n"
                                         "export-rate = 5000\n"
                                         "max-records = 24\n"
                                         "hash-seed = random");
  const Options options = parse({"--config", config});
  CHECK(options.config == config);
  CHECK(options.read == "in.pcap");
  REQUIRE(options.collectors.size() == 2);
  CHECK(options.collectors[0].name() == "192.0.2.1:2055");
  CHECK(options.collectors[1].name() == "[2001:db8::1]:9995");
  CHECK(options.flows_out == "flows.csv");
  CHECK(options.ledger == "-");
  CHECK(options.expiry.inactive_timeout_ms == 7000);
  CHECK(options.expiry.active_timeout_ms == 77'000);
  CHECK(options.expiry.hold_idle);
  CHECK(options.flows == 1234);
  CHECK(options.assembler.engine_type == 3);
  CHECK(options.assembler.engine_id == 4);
  CHECK(options.ifindex == std::map<uint16_t, uint16_t>{{0, 12}});
  CHECK(options.export_delay_ms == 250);
  CHECK(options.export_rate == 5000);
  CHECK(options.assembler.records_max == 24);
  CHECK_FALSE(options.hash_secret.has_value());
}

TEST_CASE("a file without settings changes nothing") {
  const Folder folder;
  for (const std::string text : {"", "\n", "# nothing yet\n"}) {
    CAPTURE(text);
    const std::string config = folder.file("a.conf", text);
    CHECK(parse({"--config", config, "--max-flows", "5"}).flows == 5);
    CHECK(parse({"--config", config}).flows == 1'048'576);
  }
}

TEST_CASE("the command line wins over the file") {
  const Folder folder;
  const std::string config = folder.file("pollflow.conf",
                                         "collector = 192.0.2.1:2055\n"
                                         "collector = 192.0.2.2:2055\n"
                                         "ledger = from-file.json\n"
                                         "inactive-timeout = 7\n"
                                         "hold-idle = false\n"
                                         "hash-seed = random\n"
                                         "ifindex = 0=1\n"
                                         "ifindex = 5=6\n");
  for (const bool config_last : {false, true}) {
    CAPTURE(config_last);
    Arguments arguments = {"--collector", "192.0.2.9:9", "--inactive-timeout", "8",   "--hold-idle",
                           "--hash-seed", "3",           "--ifindex",          "0=12"};
    arguments.insert(config_last ? arguments.end() : arguments.begin(), {"--config", config});
    const Options options = parse(arguments);
    REQUIRE(options.collectors.size() == 1);
    CHECK(options.collectors[0].name() == "192.0.2.9:9");
    CHECK(options.expiry.inactive_timeout_ms == 8000);
    CHECK(options.expiry.hold_idle);
    CHECK(options.hash_secret == std::optional<uint64_t>(3));
    CHECK(options.ledger == "from-file.json");
    CHECK(options.ifindex == std::map<uint16_t, uint16_t>{{0, 12}, {5, 6}});
    CHECK(options.config == config);
  }
}

TEST_CASE("a switch in the file is true or false") {
  const Folder folder;
  const auto held = [&](const std::string& text) {
    return parse({"--config", folder.file("a.conf", "hold-idle = " + text)}).expiry.hold_idle;
  };
  CHECK(held("true"));
  CHECK_FALSE(held("false"));
  for (const std::string text : {"", "1", "yes", "TRUE", "on", "truefalse"}) {
    CAPTURE(text);
    const std::string config = folder.file("a.conf", "hold-idle = " + text);
    check_refused({"--config", config}, ExitCode::configuration,
                  {config, "hold-idle", "true", "false", "'" + text + "'"});
  }
}

TEST_CASE("a bad value in the file is refused as configuration, naming file, key and value") {
  const Folder folder;
  for (const auto& [option, good, bad, may_stand_alone] : option_values()) {
    for (const std::string& value : good) {
      CAPTURE(option, value);
      const std::string text = std::string(option) + " = " + value + "\n";
      CHECK_NOTHROW(parse({"--config", folder.file("good.conf", text)}));
    }
    for (const std::string& value : bad) {
      if (value.starts_with(' ') || value.ends_with(' ')) continue;  // the file's blanks fall away
      CAPTURE(option, value);
      const std::string config =
          folder.file("bad.conf", std::string(option) + " = " + value + "\n");
      check_refused({"--config", config}, ExitCode::configuration,
                    {config, option, named_of(option, value)});
    }
  }
}

TEST_CASE("what is no setting is refused as configuration, naming file and key") {
  const Folder folder;
  const auto check = [&](const std::string& text, const std::string& named) {
    CAPTURE(text);
    const std::string config = folder.file("bad.conf", text);
    check_refused({"--config", config}, ExitCode::configuration, {config, named});
  };
  check("nope = 1\n", "'nope'");
  check("max-flow = 1\n", "'max-flow'");
  check("Max-flows = 1\n", "'Max-flows'");
  check("--read = in.pcap\n", "'--read'");
  check("[section]\nread = in.pcap\n", "read'");
  check("config = other.conf\n", "'config'");
  check("check-config = true\n", "'check-config'");
  check("help = true\n", "'help'");
  check("version = true\n", "'version'");
  check("hold-idle\n", "'hold-idle'");
  check("max-flows 5\n", "'max-flows 5'");
  check("max-flows = 5\nmax-flows = 5\n", "--max-flows");
  check("hold-idle = true\nhold-idle = true\n", "--hold-idle");
  check("ifindex = 2=5\nifindex = 2=6\n", "--ifindex");
}

TEST_CASE("a file that cannot be read is refused as configuration, or for lack of permission") {
  const Folder folder;
  const std::string secret = folder.file("secret.conf", "");
  check_refused({"--config", folder.path("none.conf")}, ExitCode::configuration,
                {"--config", folder.path("none.conf"), std::strerror(ENOENT)});
  check_refused({"--config", folder.path(".")}, ExitCode::configuration,
                {folder.path("."), "directory"});
  check_refused({"--config", ""}, ExitCode::usage, {"--config"});

  const uid_t me = geteuid();
  fs::permissions(secret, fs::perms::none);
  if (me != 0 || seteuid(65534) == 0) {
    check_refused({"--config", secret}, ExitCode::no_permission, {secret});
    REQUIRE(seteuid(me) == 0);
  }
}

TEST_CASE("an error that is long past does not decide the exit code") {
  const Folder folder;
  errno = EACCES;
  check_refused({"--config", folder.path(".")}, ExitCode::configuration, {"directory"});
}

TEST_CASE("a bad option on the command line is refused even when the file is good") {
  const Folder folder;
  const std::string config = folder.file("a.conf", "max-flows = 5\n");
  check_refused({"--config", config, "--max-flows", "0"}, ExitCode::usage, {"--max-flows"});
  check_refused({"--max-flows", "7", "--config", folder.file("b.conf", "max-flows = 0\n")},
                ExitCode::configuration, {"--max-flows"});
}

TEST_CASE("records and ledger do not go to the same place") {
  const Folder folder;
  const std::string there = folder.file("there.txt", "old");
  fs::create_symlink(there, folder.path("link.txt"));
  fs::create_hard_link(there, folder.path("hard.txt"));
  const auto same = [](const std::string& flows, const std::string& ledger) {
    CAPTURE(flows, ledger);
    check_refused({"--flows-out", flows, "--ledger", ledger}, ExitCode::usage,
                  {"--flows-out", "--ledger"});
  };
  same("-", "-");
  same("new.txt", "new.txt");
  same(folder.path("new.txt"), folder.path("./new.txt"));
  same(there, there);
  same(there, "there.txt");
  same("there.txt", "./there.txt");
  same(there, folder.path("link.txt"));
  same(folder.path("link.txt"), there);
  same(there, folder.path("hard.txt"));

  const auto apart = [](const std::string& flows, const std::string& ledger) {
    CAPTURE(flows, ledger);
    CHECK_NOTHROW(parse({"--flows-out", flows, "--ledger", ledger}));
  };
  apart("-", "ledger.json");
  apart("flows.csv", "-");
  apart("flows.csv", "ledger.json");
  apart(there, "new.txt");
  apart("/dev/null", "/dev/null");
}

TEST_CASE("two names of one file that is not there yet are told when it is created") {
  const Folder folder;
  for (const Arguments& arguments :
       {Arguments{"--flows-out", "new.txt", "--ledger", "./new.txt"},
        Arguments{"--flows-out", folder.path("new.txt"), "--ledger", "new.txt"}}) {
    fs::remove("new.txt");
    try {
      const Options options = parse(arguments);
      folder.file("new.txt", "");
      CHECK_THROWS_AS(app::check_together(options), Failure);
    } catch (const Failure& failure) {
      CHECK(failure.code == ExitCode::usage);  // so early is as good
    }
  }
  const Options apart = parse({"--flows-out", "new.txt", "--ledger", "other.txt"});
  CHECK_NOTHROW(app::check_together(apart));
}

TEST_CASE("standard output has other names") {
  for (const std::string name : {"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}) {
    CAPTURE(name);
    CHECK(parse({"--flows-out", name}).flows_out == "-");
    CHECK(parse({"--ledger", name}).ledger == "-");
    check_refused({"--flows-out", "-", "--ledger", name}, ExitCode::usage, {"standard output"});
  }
}

TEST_CASE("nothing is written over a file that is read") {
  const Folder folder;
  const std::string input = folder.file("input", "# packets, or settings\n");
  fs::create_symlink(input, folder.path("link"));
  for (const std::string reader : {"--read", "--config", "--routes"}) {
    for (const std::string output : {"--flows-out", "--ledger"}) {
      for (const std::string& name : {input, folder.path("link"), std::string("input")}) {
        CAPTURE(reader, output, name);
        check_refused({reader, input, output, name}, ExitCode::usage, {name});
      }
      CHECK_NOTHROW(parse({reader, input, output, "-"}));
      CHECK_NOTHROW(parse({reader, input, output, folder.path("out")}));
    }
  }
}

TEST_CASE("a capture has port 0 only") {
  CHECK_NOTHROW(parse({"--read", "in.pcap", "--ifindex", "0=7"}));
  CHECK_NOTHROW(parse({"--ifindex", "1=7"}));
  check_refused({"--read", "in.pcap", "--ifindex", "1=7"}, ExitCode::usage, {"--ifindex 1=7"});
  check_refused({"--read", "in.pcap", "--pair", "0=1"}, ExitCode::usage, {"--pair 0=1", "port 0"});
}

TEST_CASE("a port is in one pair, with another port") {
  check_refused({"--pair", "3=3"}, ExitCode::usage, {"--pair", "'3=3'", "itself"});
  check_refused({"--pair", "0=1", "--pair", "1=2"}, ExitCode::usage,
                {"--pair", "port 1", "port 0"});
  check_refused({"--pair", "0=1", "--pair", "1=0"}, ExitCode::usage, {"--pair", "port 1"});
}

TEST_CASE("pairs are known by ifindex, both ways") {
  const auto pairs = parse({"--pair", "0=1", "--pair", "5=2", "--ifindex", "1=77"}).port_pairs();
  const std::pair<uint16_t, uint16_t> expected[] = {{1, 77}, {77, 1}, {6, 3},
                                                    {3, 6},  {2, 0},  {4, 0}};
  for (const auto& [in_if, out_if] : expected) {
    CAPTURE(in_if);
    CHECK(pairs.partner_of(in_if) == out_if);
  }
}

TEST_CASE("an ifindex that two paired ports share must not name two partners") {
  CHECK_NOTHROW(parse({"--pair", "0=1", "--ifindex", "0=9", "--ifindex", "1=9"}));
  check_refused({"--pair", "0=1", "--pair", "2=3", "--ifindex", "2=1"}, ExitCode::usage,
                {"--pair 2=3", "ifindex 1", "--ifindex of its own"});
}

TEST_CASE("the command line's pairs win over the file's that share a port") {
  const Folder folder;
  const std::string config = folder.file("a.conf", "pair = 0=1\npair = 2=3\nroutes = a\n");
  const Options options = parse({"--config", config, "--pair", "1=4", "--routes", "kernel"});
  CHECK(options.pairs == std::map<uint16_t, uint16_t>{{1, 4}, {4, 1}, {2, 3}, {3, 2}});
  CHECK(options.routes == "kernel");
}

TEST_CASE("options that contradict each other do so from the file, too") {
  const Folder folder;
  const std::string config = folder.file("a.conf", "flows-out = -\nifindex = 1=7\n");
  CHECK_NOTHROW(parse({"--config", config}));
  CHECK_THROWS_AS(parse({"--config", config, "--ledger", "-"}), Failure);
  CHECK_THROWS_AS(parse({"--config", config, "--read", "in.pcap"}), Failure);
}

TEST_CASE("help names each option and each exit code") {
  const std::string help = app::help_text();
  const auto has = [&](const std::string& part) { return help.find(part) != std::string::npos; };
  for (const auto& [option, good, bad, may_stand_alone] : option_values()) {
    CAPTURE(option);
    CHECK(has(std::string("--") + option));
  }
  for (const std::string part :
       {"--hold-idle", "--config", "--check-config", "--help", "--version", "[EAL options] --",
        "64 usage", "66 ", "69 ", "73 ", "77 ", "78 configuration"}) {
    CAPTURE(part);
    CHECK(has(part));
  }
}

TEST_CASE("what is on by default can be said alone, and turned off by =false") {
  CHECK(parse({}).skip_own_export);
  CHECK(parse({}).seccomp);
  CHECK(parse({"--skip-own-export", "--seccomp"}).skip_own_export);
  CHECK_FALSE(parse({"--skip-own-export=false"}).skip_own_export);
  CHECK_FALSE(parse({"--seccomp=false"}).seccomp);
  CHECK(parse({"--user", "nobody"}).user == "nobody");
}
