#include "streams.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>

#include "failure.hpp"

namespace pollflow::app {

void fill_closed_streams() {
  int file = 0;
  // open() takes the lowest free number, so this fills the gaps below 3 and stops above them.
  do {
    file = open("/dev/null", O_RDWR);
  } while (file >= 0 && file <= STDERR_FILENO);
  if (file > STDERR_FILENO) close(file);
}

std::string one_line(std::string_view text) {
  constexpr size_t characters_max = 1000;
  std::string line;
  for (const char c : text.substr(0, characters_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(line), "\\x{:02x}", static_cast<unsigned>(byte));
    } else {
      line += c;
    }
  }
  return text.size() > characters_max ? line + "..." : line;
}

void print_if_taken(std::string_view text) noexcept {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

void say(std::string_view sentence) {
  print_if_taken(fmt::format("pollflow: {}\n", one_line(sentence)));
}

void print_to_people(FILE* stream, std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0)
    return;
  throw Failure(
      ExitCode::failed,
      fmt::format("{} takes no more output ({})",
                  stream == stdout ? "standard output" : "standard error", std::strerror(errno)));
}

}  // namespace pollflow::app
