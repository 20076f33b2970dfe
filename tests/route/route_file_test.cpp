#include "route/route_file.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "failure.hpp"
#include "support/catch.hpp"

using namespace pollflow;
using route::Route;
using Routes = std::vector<Route>;

namespace {

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "routes-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string path(const std::string& name) const { return path_ / name; }
  [[nodiscard]] std::string file(const std::string& contents) const {
    std::ofstream(path("routes"), std::ios::binary) << contents;
    return path("routes");
  }

 private:
  std::filesystem::path path_;
};

Routes routes_of(const std::string& contents) {
  const Folder folder;
  return route::read_route_file(folder.file(contents));
}

Failure refusal_of(const std::string& path) {
  try {
    route::read_route_file(path);
  } catch (const Failure& failure) {
    return failure;
  }
  throw std::logic_error("taken, but should have been refused");
}

// The sentence for a file of this one line.
std::string complaint(const std::string& line) {
  const Folder folder;
  const Failure failure = refusal_of(folder.file(line));
  CHECK(failure.code == ExitCode::configuration);
  CHECK(failure.details.empty());
  const std::string sentence = failure.what();
  CHECK_THAT(sentence,
             Catch::Contains("--routes " + folder.path("routes") + ": 1 bad line; line 1: "));
  return sentence;
}

}  // namespace

TEST_CASE("a line is a prefix, a next hop, an output ifindex and perhaps an AS") {
  CHECK(
      routes_of("192.0.2.0/24 10.0.0.1 7 65001\n") ==
      Routes{
          {.prefix = 0xc0000200, .length = 24, .next_hop = 0x0a000001, .out_if = 7, .as = 65001}});
  CHECK(routes_of("0.0.0.0/0 255.255.255.255 65535 4294967295") ==
        Routes{
            {.prefix = 0, .length = 0, .next_hop = 0xffffffff, .out_if = 65535, .as = 4294967295}});
  CHECK(routes_of("\t192.0.2.1  -\t 0 \n") == Routes{{.prefix = 0xc0000201, .length = 32}});
}

TEST_CASE("comments, blank lines and the line ends of other systems are passed over") {
  CHECK(routes_of("").empty());
  CHECK(routes_of("# nothing\n\n   \r\n\t# at all\n").empty());
  CHECK(routes_of("10.0.0.0/8 - 3# behind\r\n").front().out_if == 3);
  CHECK(routes_of("10.0.0.0/8 - 3 9 # behind\r\n").front().as == 9);
}

TEST_CASE("a next hop of none, or of another family, is 0") {
  for (const std::string hop : {"-", "0.0.0.0", "2001:db8::1", "fe80::1", "::ffff:192.0.2.1"}) {
    CAPTURE(hop);
    CHECK(routes_of("10.0.0.0/8 " + hop + " 3").front().next_hop == 0);
  }
}

TEST_CASE("the last of several lines for a prefix wins, and they come out in order") {
  const Routes routes = routes_of(
      "10.1.0.0/16 - 1\n10.0.0.0/8 - 2\n10.1.0.0/16 - 3\n9.0.0.0/8 - 4\n10.1.0.0/17 - 5\n"
      "10.1.0.0/16 - 6\n");
  std::vector<uint16_t> out_ifs;
  for (const Route& route : routes)
    out_ifs.push_back(route.out_if);
  CHECK(out_ifs == std::vector<uint16_t>{4, 2, 6, 5});
}

TEST_CASE("a bad line is refused with what is wrong and what would be right") {
  using Catch::Contains;
  CHECK_THAT(complaint("10.0.0.0/8 -"),
             Contains("2 fields, but a line is prefix next_hop out_ifindex [as]"));
  CHECK_THAT(complaint("10.0.0.0/8"), Contains("1 field,"));
  CHECK_THAT(complaint("10.0.0.0/8 - 1 2 3"), Contains("5 fields"));
  CHECK_THAT(complaint("10.1.2.3/8 - 1"),
             Contains("'10.1.2.3/8' has bits set") &&
                 Contains("10.0.0.0/8 was perhaps meant, or 10.1.2.3/32"));
  CHECK_THAT(complaint("10.0.0.0/8 router 1"), Contains("next hop 'router'") && Contains("or -"));
  CHECK_THAT(complaint("10.0.0.0/8 ::g 1"), Contains("next hop '::g'"));
  CHECK_THAT(complaint("10.0.0.0/8 - 65536"),
             Contains("out_ifindex '65536'") && Contains("0 to 65535"));
  CHECK_THAT(complaint("10.0.0.0/8 - eth0"), Contains("out_ifindex 'eth0'"));
  CHECK_THAT(complaint("10.0.0.0/8 - 1 4294967296"),
             Contains("AS '4294967296'") && Contains("0 to 4294967295"));
  CHECK_THAT(complaint("10.0.0.0/8 - 1 -1"), Contains("AS '-1'"));
  CHECK_THAT(complaint("10.0.0.0/8 - 1 1.10"), Contains("AS '1.10'"));
  for (const std::string length : {"33", "", "-1", "8x", "256", "255.0.0.0"}) {
    CAPTURE(length);
    CHECK_THAT(complaint("10.0.0.0/" + length + " - 1"),
               Contains("prefix length '" + length + "'"));
  }
  for (const std::string prefix : {"10.0.0", "10.0.0.0.0", "10.0.0.256", "010.0.0.0", "a.b.c.d",
                                   "2001:db8::", "default", "/8", "1.2.3.4x", "10"}) {
    CAPTURE(prefix);
    CHECK_THAT(complaint(prefix + "/8 - 1"), Contains("is no IPv4 prefix, such as 192.0.2.0/24"));
  }
}

TEST_CASE("what stands behind a zero byte is part of the field") {
  using namespace std::string_literals;
  CHECK_THAT(complaint("10.0.0.0/8 ::1\0x 3"s), Catch::Contains("::1?x"));
  CHECK_THAT(complaint("10.0.0.0/8 10.0.0.1\0 3"s), Catch::Contains("10.0.0.1?"));
}

TEST_CASE("what is no text does not end up on a terminal") {
  const std::string sentence = complaint(std::string("1.2.3.4\0\x1b[2J - 1", 15));
  CHECK(sentence.find('\x1b') == std::string::npos);
  CHECK(sentence.find('\0') == std::string::npos);
  CHECK(complaint(std::string(100'000, 'x') + " - 1").size() < 300);
}

TEST_CASE("every bad line counts, and the first twenty are listed") {
  const Folder folder;
  std::string contents = "10.0.0.0/8 - 1\n";
  for (int line = 2; line <= 26; ++line)
    contents += "10.0.0.0/8 - x\n";
  const Failure failure = refusal_of(folder.file(contents));
  CHECK(failure.code == ExitCode::configuration);
  CHECK_THAT(failure.what(), Catch::Contains("25 bad lines; the first is line 2: "));
  CHECK_THAT(failure.details, Catch::Contains("  line 2: ") && Catch::Contains("  line 21: ") &&
                                  Catch::Contains("... and 5 more"));
  CHECK(failure.details.find("line 22:") == std::string::npos);
}

TEST_CASE("a file that cannot be read is named") {
  const Folder folder;
  const Failure absent = refusal_of(folder.path("absent"));
  CHECK(absent.code == ExitCode::no_input);
  CHECK_THAT(absent.what(), Catch::Contains("--routes " + folder.path("absent")));
  CHECK(refusal_of(folder.path("")).code == ExitCode::no_input);  // a folder
  if (geteuid() == 0) return;
  const std::string closed = folder.file("");
  std::filesystem::permissions(closed, std::filesystem::perms::none);
  CHECK(refusal_of(closed).code == ExitCode::no_permission);
}
