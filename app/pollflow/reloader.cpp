#include "reloader.hpp"

#include <fmt/format.h>
#include <rte_lcore.h>
#include <rte_thread.h>

#include <cstring>
#include <utility>

#include "failure.hpp"

namespace pollflow::app {
namespace {

// Which CPUs are left beside the lcores is EAL's to say; since 23.11 under another name.
#if RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
int start(rte_thread_t& thread, rte_thread_func function, void* argument) {
  return rte_thread_create_control(&thread, "pollflow-reload", function, argument);
}
void join(rte_thread_t thread) {
  rte_thread_join(thread, nullptr);
}
using Result = uint32_t;
#else
int start(pthread_t& thread, void* (*function)(void*), void* argument) {
  return rte_ctrl_thread_create(&thread, "pollflow-reload", nullptr, function, argument);
}
void join(pthread_t thread) {
  pthread_join(thread, nullptr);
}
using Result = void*;
#endif

}  // namespace

Reloader::Reloader(std::function<void()> reload) : reload_(std::move(reload)) {
  const auto run = [](void* self) -> Result {
    static_cast<Reloader*>(self)->work();
    return {};
  };
  const int error = start(thread_, run, this);
  if (error != 0) {
    throw Failure(ExitCode::failed,
                  fmt::format("no thread to reload settings with ({})", std::strerror(-error)));
  }
}

Reloader::~Reloader() {
  stop_ = true;
  ask();
  join(thread_);
}

void Reloader::work() {
  for (;;) {
    asked_.acquire();
    if (stop_) return;
    reload_();
  }
}

}  // namespace pollflow::app
