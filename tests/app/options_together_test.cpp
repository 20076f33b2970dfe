#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "options.hpp"
#include "support/catch.hpp"
#include "support/options_fixture.hpp"

using namespace pollflow;
using app::Options;
using test::Arguments;
using test::check_refused;
using test::Folder;
using test::parse;
namespace fs = std::filesystem;

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
