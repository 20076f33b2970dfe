#include "signals.hpp"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <string_view>

#include "failure.hpp"

namespace pollflow::app {
namespace {

constexpr int64_t same_signal_ns = 20'000'000;

std::atomic<int> stops = 0;
std::atomic<unsigned> reloads = 0;
std::atomic<int> latest_signal = 0;
std::atomic<int64_t> latest_ns = 0;
// Before a run there is nothing to lose.
void leave() {
  constexpr std::string_view text =
      "\npollflow: stopped at once by a second signal, before anything was received\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
  _exit(static_cast<int>(ExitCode::failed));
}

std::atomic<void (*)()> second_stop_action = leave;
static_assert(std::atomic<int64_t>::is_always_lock_free,
              "a signal handler may not wait for a lock");

void count_stop(int signal) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t now_ns = int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  const bool same = latest_signal.exchange(signal) == signal;
  const int64_t before_ns = latest_ns.exchange(now_ns);
  const bool echo = same && now_ns - before_ns < same_signal_ns;
  if (echo || stops.fetch_add(1) == 0) return;
  if (auto* const action = second_stop_action.load()) action();
}

void count_reload(int) {
  reloads.fetch_add(1);
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

void reload_on_hangup() {
  struct sigaction action {};
  action.sa_handler = count_reload;
  sigaction(SIGHUP, &action, nullptr);
}

unsigned reload_signals() noexcept {
  return reloads.load(std::memory_order_relaxed);
}

void on_second_stop(void (*action)()) {
  second_stop_action.store(action);
}

}  // namespace pollflow::app
