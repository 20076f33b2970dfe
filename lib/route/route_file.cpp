#include "route/route_file.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include "failure.hpp"
#include "printable.hpp"
#include "whole_number.hpp"

namespace pollflow::route {
namespace {

constexpr size_t bad_lines_shown = 20;
constexpr std::string_view line_form = "prefix next_hop out_ifindex [as]";

// What is wrong with a line.
struct BadLine : std::runtime_error {
  using std::runtime_error::runtime_error;
};

[[noreturn]] void cannot_read(const std::string& path, int error) {
  const bool denied = error == EACCES || error == EPERM;
  throw Failure(
      denied ? ExitCode::no_permission : ExitCode::no_input,
      fmt::format("--routes {}: cannot be read ({}); give a file of lines {}, or the word kernel",
                  path, std::strerror(error), line_form));
}

std::string contents_of(const std::string& path) {
  // A pipe would have a reload wait for whoever writes to it.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) cannot_read(path, errno);
  struct stat status {};
  if (fstat(file, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
    close(file);
    throw Failure(ExitCode::configuration,
                  fmt::format("--routes {}: is no regular file; routes are read again later, so "
                              "give a file that stays",
                              path));
  }
  constexpr size_t chunk = size_t{1} << 16;
  std::string text;
  for (ssize_t bytes = 1; bytes != 0;) {
    const size_t before = text.size();
    text.resize(before + chunk);
    do {
      bytes = read(file, text.data() + before, chunk);
    } while (bytes < 0 && errno == EINTR);
    if (bytes < 0) {
      const int error = errno;
      close(file);
      cannot_read(path, error);
    }
    text.resize(before + static_cast<size_t>(bytes));
  }
  close(file);
  return text;
}

// A field for a person to read: a file of something else may have long ones, and control
// characters.
std::string shown(std::string_view field) {
  constexpr size_t longest = 50;
  const std::string text = printable(std::string(field.substr(0, longest)));
  return field.size() > longest ? text + "..." : text;
}

template <typename Number>
Number number(std::string_view text, std::string_view what, Number max) {
  if (const auto value = whole_number(text, Number{0}, max)) return *value;
  throw BadLine(fmt::format("{} '{}' is not a whole number from 0 to {}", what, shown(text), max));
}

// inet_pton() takes four decimal numbers and nothing else.
std::optional<uint32_t> ipv4_address(std::string_view text) {
  std::array<char, INET_ADDRSTRLEN> copy{};
  in_addr address{};
  if (text.size() >= copy.size()) return {};
  std::ranges::copy(text, copy.begin());
  if (inet_pton(AF_INET, copy.data(), &address) != 1 || std::strlen(copy.data()) != text.size())
    return {};
  return ntohl(address.s_addr);
}

bool is_ipv6_address(std::string_view text) {
  in6_addr address{};
  return text.find(':') != std::string_view::npos && text.find('\0') == std::string_view::npos &&
         inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

std::string address_text(uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 0xff, address >> 8 & 0xff,
                     address & 0xff);
}

void read_prefix(std::string_view text, Route& route) {
  const size_t slash = text.find('/');
  const auto address = ipv4_address(text.substr(0, slash));
  if (!address)
    throw BadLine(fmt::format("'{}' is no IPv4 prefix, such as 192.0.2.0/24", shown(text)));
  route.prefix = *address;
  route.length = slash == std::string_view::npos
                     ? 32
                     : number<uint8_t>(text.substr(slash + 1), "prefix length", 32);
  if ((route.prefix & ~mask_of(route.length)) == 0) return;
  throw BadLine(
      fmt::format("'{}' has bits set behind its length; {}/{} was perhaps meant, or {}/32",
                  shown(text), address_text(route.prefix & mask_of(route.length)), route.length,
                  address_text(route.prefix)));
}

// A gateway of another family is none that NetFlow v5 could name.
uint32_t read_next_hop(std::string_view text) {
  if (text == "-") return 0;
  const auto address = ipv4_address(text);
  if (!address && !is_ipv6_address(text)) {
    throw BadLine(fmt::format(
        "next hop '{}' is no address, such as 192.0.2.1; none is 0.0.0.0 or -", shown(text)));
  }
  return address.value_or(0);
}

struct Fields {
  static constexpr size_t max = 4;
  std::array<std::string_view, max> field;
  size_t count = 0;  // may be more than max
};

Fields fields_of(std::string_view line) {
  constexpr std::string_view blanks = " \t\r";
  line = line.substr(0, line.find('#'));
  Fields fields;
  for (size_t at = line.find_first_not_of(blanks); at != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(blanks, at), line.size());
    if (fields.count < Fields::max) fields.field[fields.count] = line.substr(at, end - at);
    ++fields.count;
    at = line.find_first_not_of(blanks, end);
  }
  return fields;
}

// Nothing: the line is blank, or a comment.
std::optional<Route> read_line(std::string_view line) {
  const auto [field, count] = fields_of(line);
  if (count == 0) return {};
  if (count < 3 || count > Fields::max) {
    throw BadLine(
        fmt::format("{} field{}, but a line is {}", count, count == 1 ? "" : "s", line_form));
  }
  Route route;
  read_prefix(field[0], route);
  route.next_hop = read_next_hop(field[1]);
  route.out_if = number<uint16_t>(field[2], "out_ifindex", UINT16_MAX);
  if (count == Fields::max) route.as = number<uint32_t>(field[3], "AS", UINT32_MAX);
  return route;
}

// In order; of several for one prefix the last.
void keep_last_of_each(std::vector<Route>& routes) {
  std::ranges::stable_sort(routes, {}, order_of);
  const auto same = [](const Route& a, const Route& b) { return order_of(a) == order_of(b); };
  // Seen from behind the last of equals is the first, which unique() keeps.
  const auto kept = std::unique(routes.rbegin(), routes.rend(), same).base();
  routes.erase(routes.begin(), kept);
}

class BadLines {
 public:
  void add(size_t line, const char* what) {
    if (count_++ == 0) first_ = fmt::format("line {}: {}", line, what);
    if (count_ <= bad_lines_shown) shown_ += fmt::format("  line {}: {}\n", line, what);
  }
  void throw_if_any(const std::string& path) const {
    if (count_ == 0) return;
    std::string details = count_ == 1 ? "" : shown_;
    if (count_ > bad_lines_shown)
      details += fmt::format("  ... and {} more\n", count_ - bad_lines_shown);
    throw Failure(ExitCode::configuration,
                  fmt::format("--routes {}: {} bad line{}; {}{}", path, count_,
                              count_ == 1 ? "" : "s", count_ == 1 ? "" : "the first is ", first_),
                  details);
  }

 private:
  size_t count_ = 0;
  std::string first_;
  std::string shown_;
};

}  // namespace

std::vector<Route> read_route_file(const std::string& path) {
  const std::string text = contents_of(path);
  std::vector<Route> routes;
  BadLines bad_lines;
  size_t number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    ++number;
    try {
      const auto route = read_line(std::string_view(text).substr(at, end - at));
      if (route) routes.push_back(*route);
    } catch (const BadLine& bad) {
      bad_lines.add(number, bad.what());
    }
    at = end + 1;
  }
  bad_lines.throw_if_any(path);
  keep_last_of_each(routes);
  return routes;
}

}  // namespace pollflow::route
