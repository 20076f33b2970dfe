#pragma once

#include <rte_version.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <semaphore>
#include <string>
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
#include <rte_thread.h>
#else
#include <pthread.h>
#endif

namespace pollflow::app {

// A thread of its own, off the lcores, for what reads files and may take seconds. EAL must be up.
class Reloader {
 public:
  // `reload` returns a sentence about what came of it, for news(). Throws Failure when there is no
  // thread.
  explicit Reloader(std::function<std::string()> reload);
  Reloader(const Reloader&) = delete;
  Reloader& operator=(const Reloader&) = delete;
  // Waits for a reload under way.
  ~Reloader();

  // An lcore: waits for nothing.
  void ask() noexcept { asked_.release(); }
  [[nodiscard]] std::optional<std::string> news();

 private:
  void work();

  std::function<std::string()> reload_;
  std::counting_semaphore<> asked_{0};
  std::atomic<bool> stop_ = false;
  std::mutex news_mutex_;
  std::string news_;
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
  rte_thread_t thread_{};
#else
  pthread_t thread_{};
#endif
};

}  // namespace pollflow::app
