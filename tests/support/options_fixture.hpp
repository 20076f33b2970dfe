#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "failure.hpp"
#include "options.hpp"
#include "support/catch.hpp"

// What the tests of options share: command lines that are taken, those that are refused, and files.

namespace pollflow::test {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

inline app::Options parse(const Arguments& arguments) {
  return app::parse_command_line(arguments).options;
}

inline Failure refusal(const Arguments& arguments) {
  try {
    app::parse_command_line(arguments);
  } catch (const Failure& failure) {
    return failure;
  }
  throw std::logic_error("taken, but should have been refused: " + arguments.front());
}

// Refused with this exit code, by a sentence with all of these parts.
inline void check_refused(const Arguments& arguments, ExitCode code, const Arguments& parts) {
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
inline const std::vector<OptionValues>& option_values() {
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

// What of a bad value has to stand in the refusal: of a value in parts the wrong part is named, of
// a secret nothing.
inline std::string named_of(const std::string& option, const std::string& value) {
  const bool in_parts = value.find_first_of(":=") != std::string::npos;
  return in_parts || option == "hash-seed" ? "" : value;
}

}  // namespace pollflow::test
