#include "every_thread.hpp"

#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <set>
#include <string>
#include <utility>

namespace pollflow::app {

#if defined(__SANITIZE_THREAD__)

// ThreadSanitizer keeps a signal from a thread until that calls something which the sanitizer knows
// of; those that wait do not. It also has a thread of its own, which takes no signals.
bool in_every_other_thread(bool (*)() noexcept) {
  return true;
}

#else

namespace {

constexpr long look_ns = 50'000'000;  // whether a thread that does not answer is there still
constexpr int looks_max = 200;        // 10 s: an overloaded machine is no reason not to start

std::atomic<bool (*)() noexcept> step_to_do = nullptr;
std::atomic<int> errno_of_step = 0;  // not 0: one could not
sem_t answered;

void do_step(int) {
  const int interrupted_errno = std::exchange(errno, 0);
  if (!step_to_do.load()()) errno_of_step = errno != 0 ? errno : ECANCELED;
  sem_post(&answered);
  errno = interrupted_errno;
}

bool wait_for_answer() noexcept {
  timespec until{};
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += look_ns;
  until.tv_sec += until.tv_nsec / 1'000'000'000;
  until.tv_nsec %= 1'000'000'000;
  int result = 0;
  do {
    result = sem_clockwait(&answered, CLOCK_MONOTONIC, &until);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

// False when there is a thread that cannot be asked or does not answer. One that has ended needs
// not.
bool ask(pid_t thread, int signal) noexcept {
  const auto takes = [&](int sent) { return syscall(SYS_tgkill, getpid(), thread, sent) == 0; };
  if (!takes(signal)) return errno == ESRCH;
  for (int look = 0; look < looks_max; ++look) {
    if (wait_for_answer()) return true;
    if (takes(0)) continue;
    sem_trywait(&answered);  // the last that it may have done
    return true;
  }
  errno = ETIMEDOUT;
  return false;
}

// Those that are there now; threads may come and go.
std::set<pid_t> threads() {
  std::set<pid_t> ids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task"))
    ids.insert(static_cast<pid_t>(std::stol(entry.path().filename())));
  return ids;
}

}  // namespace

bool in_every_other_thread(bool (*step)() noexcept) {
  const int signal = SIGRTMIN + 3;  // nobody else's
  struct sigaction asking {};
  struct sigaction before {};
  asking.sa_handler = do_step;
  asking.sa_flags = SA_RESTART;
  step_to_do = step;
  errno_of_step = 0;
  sem_init(&answered, 0, 0);
  sigaction(signal, &asking, &before);

  // A thread that was asked has done it, and so will the threads that it starts from now on. Until
  // no new one is found there may be one that was started by a thread before it was asked.
  std::set<pid_t> reached = {static_cast<pid_t>(syscall(SYS_gettid))};
  bool all_answered = true;
  for (bool found = true; found && all_answered;) {
    found = false;
    for (const pid_t thread : threads()) {
      if (!reached.insert(thread).second) continue;
      found = true;
      all_answered = all_answered && ask(thread, signal);
    }
  }
  sigaction(signal, &before, nullptr);
  if (errno_of_step != 0) errno = errno_of_step;
  return all_answered && errno_of_step == 0;
}

#endif

}  // namespace pollflow::app
