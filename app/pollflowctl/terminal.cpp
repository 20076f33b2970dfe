#include "terminal.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <string_view>

namespace pollflow::ctl {
namespace {

// ECMA-48 and xterm: alternate screen, cursor away.
constexpr std::string_view begin = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr std::string_view end = "\x1b[?25h\x1b[?1049l";

termios keys_before{};
bool has_keys = false;

void put_back() {
  // When the terminal has gone there is nothing to put back.
  [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, end.data(), end.size());
  if (has_keys) tcsetattr(STDIN_FILENO, TCSANOW, &keys_before);
}

// write, tcsetattr and _exit are all async-signal-safe (signal-safety(7)).
void put_back_and_exit(int) {
  put_back();
  _exit(0);
}

void handle(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  for (const int number : {SIGINT, SIGTERM, SIGQUIT})
    sigaction(number, &action, nullptr);
}

}  // namespace

FullScreen::FullScreen() {
  has_keys = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &keys_before) == 0;
  handle(put_back_and_exit);
  if (has_keys) {
    termios keys = keys_before;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    keys.c_cc[VSUSP] = _POSIX_VDISABLE;  // a stopped top would leave its screen to the shell
    tcsetattr(STDIN_FILENO, TCSANOW, &keys);
  }
  [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, begin.data(), begin.size());
}

FullScreen::~FullScreen() {
  put_back();
  handle(SIG_DFL);
}

FullScreen::Size FullScreen::size() {
  winsize window{};
  const bool known =
      ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 0 && window.ws_col > 0;
  return known ? Size{window.ws_row, window.ws_col} : Size{24, 80};
}

std::string FullScreen::paint(const std::string& lines) {
  const Size screen = size();
  std::string painted = "\x1b[H";
  std::string_view rest = lines;
  for (size_t row = 0; row < screen.rows && !rest.empty(); ++row) {
    const size_t length = std::min(rest.find('\n'), rest.size());
    if (row > 0) painted += "\r\n";
    painted += rest.substr(0, std::min(length, screen.columns));
    // Behind the last column the cursor waits on it, and erasing would take its character.
    if (length < screen.columns) painted += "\x1b[K";
    rest.remove_prefix(std::min(length + 1, rest.size()));
  }
  return painted + (lines.empty() ? "" : "\x1b[J");
}

bool FullScreen::wait(double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                        std::chrono::duration<double>(seconds));
  pollfd keys{.fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN, .revents = 0};
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return true;
    if (poll(&keys, 1, static_cast<int>(left)) <= 0) continue;
    char key = 0;
    if (read(STDIN_FILENO, &key, 1) <= 0) {
      keys.fd = -1;  // no more keys: closed, or gone
    } else if (key == 'q' || key == 'Q') {
      return false;
    }
  }
}

}  // namespace pollflow::ctl
