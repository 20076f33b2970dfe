#pragma once

#include <cstddef>
#include <string>

namespace pollflow::ctl {

// The whole screen of the terminal on standard output, as long as this lives: alternate screen, no
// cursor, keys without echo or return. All is put back at the end, also by SIGINT and SIGTERM,
// which end the process with 0. One at a time.
class FullScreen {
 public:
  FullScreen();
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;
  ~FullScreen();

  struct Size {
    size_t rows;
    size_t columns;
  };
  [[nodiscard]] static Size size();

  // What shows these lines from the top, cut to the screen.
  [[nodiscard]] static std::string paint(const std::string& lines);

  // Waits so long; false as soon as q is pressed.
  [[nodiscard]] static bool wait(double seconds);
};

}  // namespace pollflow::ctl
