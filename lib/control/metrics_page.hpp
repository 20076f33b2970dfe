#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "control/sources.hpp"

namespace pollflow::control {

// What the metrics server shows: a run while there is one.
class MetricsPage {
 public:
  // A run's counters are on the page for as long as this lives. The run must outlive it.
  class Shown {
   public:
    Shown(MetricsPage& page, const Sources& sources) : page_(page) { page_.show(&sources); }
    Shown(const Shown&) = delete;
    Shown& operator=(const Shown&) = delete;
    ~Shown() { page_.show(nullptr); }

   private:
    MetricsPage& page_;
  };

  // The server's thread.
  [[nodiscard]] std::optional<std::string> text() const;

 private:
  // Waits for a page that is being written.
  void show(const Sources* sources);

  mutable std::mutex mutex_;
  const Sources* sources_ = nullptr;
};

}  // namespace pollflow::control
