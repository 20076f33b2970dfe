#include "signals.hpp"

#include <atomic>
#include <csignal>

namespace pollflow::app {
namespace {

std::atomic<int> stops = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not wait for a lock");

void count_stop(int /*signal*/) {
  stops.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = count_stop;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
  sigaction(SIGXFSZ, &action, nullptr);
}

int stop_signals() noexcept {
  return stops.load(std::memory_order_relaxed);
}

}  // namespace pollflow::app
