#pragma once

#include <rte_version.h>

#include <atomic>
#include <functional>
#include <semaphore>
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
#include <rte_thread.h>
#else
#include <pthread.h>
#endif

namespace pollflow::app {

// A thread of its own, off the lcores, for what reads files and may take seconds. EAL must be up.
class Reloader {
 public:
  // Throws Failure when there is no thread.
  explicit Reloader(std::function<void()> reload);
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;
  // Waits for a reload under way.
  ~Reloader();

  // An lcore: waits for nothing.
  void ask() noexcept { asked_.release(); }

 private:
  void work();

  std::function<void()> reload_;
  std::counting_semaphore<> asked_{0};
  std::atomic<bool> stop_ = false;
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
  rte_thread_t thread_{};
#else
  pthread_t thread_{};
#endif
};

}  // namespace pollflow::app
