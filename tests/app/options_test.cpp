#include "options.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/options_fixture.hpp"

using namespace pollflow;
using app::Options;
using app::parse_command_line;
using test::Arguments;
using test::check_refused;
using test::Folder;
using test::named_of;
using test::option_values;
using test::parse;
using test::refusal;

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
