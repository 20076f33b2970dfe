#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "options.hpp"
#include "support/catch.hpp"
#include "support/options_fixture.hpp"

using namespace pollflow;
using app::Options;
using test::Arguments;
using test::check_refused;
using test::Folder;
using test::named_of;
using test::option_values;
using test::parse;
using test::refusal;
namespace fs = std::filesystem;

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
  check("hold-idle\n", "line 1 ('hold-idle') has no '='");
  check("# a\n\n[]\n  \n max-flows 5 # = b\n", "line 5 ('max-flows') has no '='");
  check("max-flows = 5\nmax-flows = 5\n", "--max-flows");
  check("hold-idle = true\nhold-idle = true\n", "--hold-idle");
  check("ifindex = 2=5\nifindex = 2=6\n", "--ifindex");
}

TEST_CASE("a line that is none is told without what follows its key, which may be a secret") {
  const Folder folder;
  for (const std::string line : {"rss-key: 6d5a56da255b", "rss-key:6d5a56da255b", "rss-key 6d5a"}) {
    CAPTURE(line);
    const Failure failure = refusal({"--config", folder.file("bad.conf", "\n" + line + "\n")});
    CHECK(failure.code == ExitCode::configuration);
    const std::string sentence = failure.what();
    CAPTURE(sentence);
    CHECK(sentence.find("line 2 ('rss-key')") != std::string::npos);
    CHECK(sentence.find("6d5a") == std::string::npos);
  }
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
