// A file of routes beside docs/reference/routes.md once more, slowly: the same routes, or the same
// lines refused.
//
//   input: the file

#include <arpa/inet.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "failure.hpp"
#include "fuzz/expect.hpp"
#include "fuzz/input.hpp"
#include "fuzz/memory_file.hpp"
#include "fuzz/sentence.hpp"
#include "route/route_file.hpp"

using namespace pollflow;
using namespace pollflow::test;
using route::Route;

namespace {

using Words = std::vector<std::string>;

Words split(const std::string& text, const std::string& at) {
  Words words(1);
  for (const char c : text) {
    if (at.find(c) == std::string::npos) {
      words.back() += c;
    } else {
      words.emplace_back();
    }
  }
  return words;
}

// Decimal digits and nothing else. Leading zeros change nothing.
std::optional<uint64_t> number(const std::string& text, uint64_t max) {
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return {};
    value = value * 10 + static_cast<uint64_t>(c - '0');
    if (value > max) return {};
  }
  if (text.empty()) return {};
  return value;
}

// Four numbers, these without leading zeros.
std::optional<uint32_t> address(const std::string& text) {
  const Words parts = split(text, ".");
  if (parts.size() != 4) return {};
  uint32_t value = 0;
  for (const std::string& part : parts) {
    const auto octet = number(part, 255);
    if (!octet || (part.size() > 1 && part[0] == '0')) return {};
    value = value * 256 + static_cast<uint32_t>(*octet);
  }
  return value;
}

bool is_ipv6(const std::string& text) {
  in6_addr parsed{};
  return text.find('\0') == std::string::npos && inet_pton(AF_INET6, text.c_str(), &parsed) == 1;
}

std::optional<Route> route_of(const Words& words) {
  if (words.size() != 3 && words.size() != 4) return {};
  const size_t slash = words[0].find('/');
  const auto prefix = address(words[0].substr(0, slash));
  const auto length = slash == std::string::npos ? std::optional<uint64_t>(32)
                                                 : number(words[0].substr(slash + 1), 32);
  if (!prefix || !length) return {};
  if (*prefix % (uint64_t{1} << (32 - *length)) != 0) return {};
  const bool no_hop = words[1] == "-" || is_ipv6(words[1]);
  const auto next_hop = no_hop ? std::optional<uint32_t>(0) : address(words[1]);
  const auto out_if = number(words[2], 65535);
  const auto as = words.size() == 4 ? number(words[3], 4294967295) : std::optional<uint64_t>(0);
  if (!next_hop || !out_if || !as) return {};
  return Route{.prefix = *prefix,
               .length = static_cast<uint8_t>(*length),
               .next_hop = *next_hop,
               .out_if = static_cast<uint16_t>(*out_if),
               .as = static_cast<uint32_t>(*as)};
}

struct Reading {
  std::map<std::pair<uint32_t, uint8_t>, Route> routes;  // of several for a prefix the last
  std::vector<size_t> bad_lines;
};

Reading read_slowly(const std::string& text) {
  Reading reading;
  size_t number = 0;
  for (const std::string& line : split(text, "\n")) {
    ++number;
    Words words = split(split(line, "#").front(), " \t\r");
    std::erase(words, "");
    if (words.empty()) continue;
    if (const auto route = route_of(words)) {
      reading.routes[{route->prefix, route->length}] = *route;
    } else {
      reading.bad_lines.push_back(number);
    }
  }
  return reading;
}

void check_refusal(const Failure& failure, const Reading& slow) {
  expect(failure.code == ExitCode::configuration, "a bad file is a bad configuration");
  expect(!slow.bad_lines.empty(), "a file is refused for a bad line");
  const std::string sentence = failure.what();
  expect_sentence(sentence);
  const size_t count = slow.bad_lines.size();
  const std::string counted = ": " + std::to_string(count) + " bad line" + (count == 1 ? "" : "s");
  const std::string first = "line " + std::to_string(slow.bad_lines.front()) + ": ";
  expect(sentence.find(counted + "; ") != std::string::npos, "it says how many lines are bad");
  expect(sentence.find(first) != std::string::npos, "it names the first bad line");
  for (const std::string& line : split(failure.details, "\n"))
    if (!line.empty()) expect_sentence(line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const MemoryFile file;
  const std::string text = Input(data, size).text();
  file.fill(text);
  const Reading slow = read_slowly(text);
  try {
    const std::vector<Route> routes = route::read_route_file(file.path());
    expect(slow.bad_lines.empty(), "a file with a bad line is refused");
    std::vector<Route> wanted;
    for (const auto& [prefix, route] : slow.routes)
      wanted.push_back(route);
    expect(routes == wanted, "both read the same routes, in order");
  } catch (const Failure& failure) {
    check_refusal(failure, slow);
  }
  return 0;
}
