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

namespace pollflow::app {

#if defined(__SANITIZE_THREAD__)

// ThreadSanitizer keeps a signal from a thread until that calls something which the sanitizer knows
// of; those that wait do not. It also has a thread of its own, which takes no signals.
bool in_every_other_thread(bool (*)() noexcept) {
  return true;
}

#else

namespace {

std::atomic<bool (*)() noexcept> step_to_do = nullptr;
std::atomic<bool> all_done = true;
sem_t answered;

void do_step(int) {
  const int interrupted_errno = errno;
  if (!step_to_do.load()()) all_done = false;
  sem_post(&answered);
  errno = interrupted_errno;
}

bool wait_for_answer() noexcept {
  timespec until{};
  clock_gettime(CLOCK_REALTIME, &until);
  ++until.tv_sec;
  int result = 0;
  do {
    result = sem_timedwait(&answered, &until);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

// False when there is a thread that does not answer. A thread that has ended needs not.
bool ask(pid_t thread, int signal) noexcept {
  return syscall(SYS_tgkill, getpid(), thread, signal) != 0 || wait_for_answer();
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
  all_done = true;
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
  return all_answered && all_done;
}

#endif

}  // namespace pollflow::app
