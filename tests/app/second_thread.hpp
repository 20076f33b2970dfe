#pragma once

#include <semaphore.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <string>
#include <thread>

#include "support/catch.hpp"

namespace pollflow::test {

// What cannot be taken back is done in a process of its own. True when `body` answered true there.
inline bool in_a_process(const std::function<bool()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    bool held = false;
    try {
      held = body();
    } catch (...) {
    }
    _exit(held ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

inline std::string status_of(const std::string& thread, const std::string& field) {
  std::ifstream file("/proc/self/task/" + thread + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field + ":")) return line.substr(line.find_last_of("\t ") + 1);
  }
  return "";
}

// A second thread, which waits as DPDK's do, in a system call; deaf: it takes no signals.
class Waiting {
 public:
  explicit Waiting(bool deaf = false) {
    sem_init(&over_, 0, 0);
    thread_ = std::thread([this, deaf] {
      if (deaf) take_no_signals();
      wait();
    });
    while (id_ == 0)
      std::this_thread::yield();
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    end();
    thread_.join();
  }
  void end() { sem_post(&over_); }
  [[nodiscard]] std::string id() const { return std::to_string(id_); }

 private:
  static void take_no_signals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
  }
  void wait() {
    id_ = static_cast<pid_t>(syscall(SYS_gettid));
    while (sem_wait(&over_) != 0) {
    }
  }

  std::atomic<pid_t> id_ = 0;
  sem_t over_;
  std::thread thread_;
};

inline bool threads_answer() {
#if defined(__SANITIZE_THREAD__)
  WARN("skipped: ThreadSanitizer keeps signals back");
  return false;
#else
  return true;
#endif
}

}  // namespace pollflow::test
