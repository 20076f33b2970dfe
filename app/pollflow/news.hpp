#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace pollflow::app {

// Sentences of control threads, on their way to the lcore that talks to the operator.
class News {
 public:
  // A control thread.
  void tell(std::string sentence) {
    const std::scoped_lock lock(mutex_);
    sentences_.push_back(std::move(sentence));
  }
  // The lcore, which waits for nobody: nothing while somebody is telling.
  [[nodiscard]] std::vector<std::string> take() {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    return lock ? std::exchange(sentences_, {}) : std::vector<std::string>{};
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> sentences_;
};

}  // namespace pollflow::app
